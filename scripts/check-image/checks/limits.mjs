import { expect, expectEnd, expectEqual } from '../expect.mjs';

/** The first line is read by itself: what comes with more than the log has room for is not in its beginning. */
const MANY_LINES = `
import time
print("first", flush=True)
time.sleep(0.5)
for number in range(100000):
    print(number)
`;
const SLACK_BYTES = 256 * 1024;

/** The limits that the runner holds. */
export const LIMIT_CHECKS = [
  {
    title: 'a log that is full keeps its end, and tells what it lacks',
    mend: 'Hold the newest output in memory when `maxLogBytes` are written; write `gap` and that output at the end.',
    async body(bench) {
      bench.order.maxLogBytes = 10_000;
      const result = await bench.run(MANY_LINES);
      expectEqual('the kinds of frames', result.kinds, ['started', 'output', 'gap', 'ended']);
      expect(result.stdout.startsWith('first\n'), 'the first line is missing');
      expect(result.stdout.endsWith('\n99999\n'), 'the last line is missing');
      expect(result.ended.droppedBytes > 0, '`droppedBytes` of the last frame is 0');
      expect(result.bytes <= 10_000 + SLACK_BYTES, `the log has ${result.bytes} bytes`);
    },
  },
  {
    title: 'output beyond its limit ends the script',
    mend: 'Set RLIMIT_FSIZE to `maxOutputBytes` and measure /output; tell of it as `diskExceeded`.',
    async body(bench) {
      bench.order.maxOutputBytes = 100_000;
      const script =
        'for n in range(20): open("f%d" % n, "w").write("x" * 50000)\nimport time; time.sleep(50)';
      expectEnd(await bench.run(script), 137, { signal: 9, diskExceeded: true });
    },
  },
  {
    title: 'limits of the order are those of the script',
    mend: 'Set RLIMIT_NOFILE, RLIMIT_NPROC and RLIMIT_AS as `limits` says, and RLIMIT_CORE to 0.',
    async body(bench) {
      bench.order.limits.openFiles = 123;
      const script = `import resource as r; print(r.getrlimit(r.RLIMIT_NOFILE), r.getrlimit(r.RLIMIT_CORE))`;
      expectEqual('stdout', (await bench.run(script)).stdout, '(123, 123) (0, 0)\n');
    },
  },
];
