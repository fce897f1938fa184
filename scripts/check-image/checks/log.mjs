import { expect, expectEqual } from '../expect.mjs';

const BOTH_STREAMS = `
import sys
print("out")
print("err", file=sys.stderr)
`;

/** The frames. */
export const LOG_CHECKS = [
  {
    title: 'both streams are in the log, in frames that count 1, 2, 3 …',
    mend: 'Write `started`, `output` with the stream and the next number, then `ended`.',
    async body(bench) {
      const result = await bench.run(BOTH_STREAMS);
      expectEqual('stdout', result.stdout, 'out\n');
      expectEqual('stderr', result.stderr, 'err\n');
      expectEqual('the kinds of frames', result.kinds, ['started', 'output', 'ended']);
      const numbers = result.frames.filter(({ kind }) => kind === 'output').map(({ seq }) => seq);
      expectEqual(
        'the numbers',
        numbers,
        numbers.map((_, at) => at + 1),
      );
      expectEqual('`version` of the first frame', JSON.parse(result.payload('started')).version, 1);
    },
  },
  {
    title: 'output is there while the script runs',
    mend: 'Append a frame as soon as something was printed.',
    async body(bench) {
      const run = await bench.start('import time; print("now"); time.sleep(60)');
      await run.waitForOutput('now');
      expectEqual('the end of the log', (await bench.readLog()).ended, undefined);
      await run.signal('KILL');
    },
  },
  {
    title: 'what is no UTF-8 is replaced',
    mend: 'Put U+FFFD for each invalid sequence, and never split a character.',
    async body(bench) {
      const result = await bench.run('import os; os.write(1, b"a\\xff" + "é".encode() * 100000)');
      expect(
        result.stdout === `a\ufffd${'é'.repeat(100_000)}`,
        `stdout begins with ${JSON.stringify(result.stdout.slice(0, 20))}`,
      );
    },
  },
  {
    title: 'there is a copy for people who look at the container',
    mend: 'Print the same text to the runner’s own stdout.',
    async body(bench) {
      expectEqual('the runner’s stdout', (await bench.run('print("seen")')).printed, 'seen\n');
    },
  },
];
