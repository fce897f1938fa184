import { describe, expect, it } from '@jest/globals';
import { PassThrough, Readable } from 'node:stream';
import { linesOf } from './lines.js';

async function collect(stream: Readable): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf(stream)) lines.push(line);
  return lines;
}

describe('linesOf', () => {
  it('puts lines and characters together that are split over chunks', async () => {
    const bytes = Buffer.from('one\ntwo ä\n\nlast');
    const stream = Readable.from([...bytes].map((byte) => Buffer.from([byte])));
    expect(await collect(stream)).toEqual(['one', 'two ä', '', 'last']);
  });

  it('throws when the stream breaks', async () => {
    const stream = new PassThrough();
    const lines = collect(stream);
    stream.write('one\n');
    stream.destroy();
    await expect(lines).rejects.toThrow();
  });
});
