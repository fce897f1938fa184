import type { Readable } from 'node:stream';

/**
 * The lines of a stream of UTF-8. Ends when the stream ends and throws when it breaks, which `node:readline` does not:
 * it leaves its reader waiting for ever.
 */
export async function* linesOf(stream: Readable): AsyncGenerator<string> {
  let rest = '';
  stream.setEncoding('utf8');
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest) yield rest;
}
