import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, expectEnd, expectEqual } from '../expect.mjs';

const SHOWS_ITSELF = `
import json, os, sys
print(json.dumps({"name": __name__, "arguments": len(sys.argv), "isOutput": os.path.samefile(".", os.environ["OUTPUT_DIR"]),
                  "stdin": sys.stdin.read(), "unknown": sorted(name for name in os.environ if name.startswith("RUNNER_"))}))
`;
const LEAVES_A_PROCESS = `
import os, time
if os.fork() == 0:
    os.setsid()
    for _ in range(100):
        with open("still-there", "a") as file:
            file.write("x")
        time.sleep(0.05)
else:
    while not os.path.exists("still-there"):
        time.sleep(0.01)
`;
/** In which a process of that script writes several times. */
const WRITES_WITHIN_MS = 500;

/** What the script finds, and how it ends. */
export const SCRIPT_CHECKS = [
  {
    title: 'the script is the main program, in /output, and finds nothing of its runner',
    mend: 'Run it as `python -u script.py` would: an environment from empty, stdin from /dev/null, /output as its folder.',
    async body(bench) {
      const { stdout, stderr } = await bench.run(SHOWS_ITSELF, { variables: { RUNNER_OF_THE_CHECK: 'x' } });
      const seen = stdout === '' ? { stderr } : JSON.parse(stdout);
      expectEqual('what it finds', seen, {
        name: '__main__',
        arguments: 1,
        isOutput: true,
        stdin: '',
        unknown: [],
      });
    },
  },
  {
    title: 'what the script leaves in its folder is an output',
    mend: 'Let it write to /output, with files that the server can read.',
    async body(bench) {
      const result = await bench.run('open("made.txt", "w").write("content")');
      expectEnd(result, 0, { exitCode: 0, signal: null });
      const path = join(bench.folders.output, 'made.txt');
      const content = await readFile(path, 'utf8').catch(() => undefined);
      expectEqual('the content of made.txt in /output', content, 'content');
      expectEqual('its owner', (await stat(path)).uid, bench.runner.user.uid);
    },
  },
  {
    title: 'an exit code is told',
    mend: 'End with the script’s own code, and write it into `ended`.',
    async body(bench) {
      expectEnd(await bench.run('raise SystemExit(7)'), 7, { exitCode: 7, signal: null });
    },
  },
  {
    title: 'an error ends with 1 and its traceback',
    mend: 'Let Python show it on stderr.',
    async body(bench) {
      const result = await bench.run('raise ValueError("made to fail")');
      expectEnd(result, 1, { exitCode: 1, signal: null });
      const isWhole = /^Traceback [^]*script\.py", line 1[^]*ValueError: made to fail\n$/.test(result.stderr);
      expect(isWhole, `stderr is ${JSON.stringify(result.stderr)}`);
    },
  },
  {
    title: 'a signal is told',
    mend: 'End with 128 + its number, and write the number into `ended`.',
    async body(bench) {
      const result = await bench.run('import os; os.kill(os.getpid(), 9)');
      expectEnd(result, 137, { exitCode: null, signal: 9, stopped: false });
    },
  },
  {
    title: 'processes that the script leaves are ended',
    mend: 'Kill what is left of the tree, and wait for no pipe that one of it holds open.',
    async body(bench) {
      expectEnd(await bench.run(LEAVES_A_PROCESS), 0, { exitCode: 0 });
      const written = async () => (await stat(join(bench.folders.output, 'still-there'))).size;
      const before = await written();
      await delay(WRITES_WITHIN_MS);
      expect((await written()) === before, 'one still writes to /output');
    },
  },
];
