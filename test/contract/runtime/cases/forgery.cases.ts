import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { expect } from '@jest/globals';
import { RUNNER_EXIT_CODES } from '../../../../src/runner/exit-codes.js';
import { newKey } from '../../../../src/runner/key.js';
import { spoolPath } from '../../../../src/workspace/workspace-paths.js';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { verdictOn } from '../../../support/runtimes/verdict.js';
import type { Need } from './runtime-case.js';
import { runtimeCases } from './runtime-case.js';

/** Who shares a user with its runner, and sees it, can kill it. */
const NEEDS: readonly Need[] = ['python', 'processIsolation', 'filesystemIsolation'];

/** What scripts write to their spools begins with this. `forge` puts a log in place that says what it is told. */
const FORGERS_TOOLS = `
import json, os, signal, struct, sys, time
SPOOL, LOG = "/spool", "/spool/log"
def frame(kind, payload):
    return struct.pack("<2sBBIQQ", b"LF", kind, 0, len(payload), 0, time.time_ns() // 1000) + payload
def forged(**claims):
    ended = {"exitCode": 0, "signal": None, "timedOut": False, "stopped": False, "diskExceeded": False, "oomKills": 0,
             "droppedBytes": 0, "wallSeconds": 0.5, "cpuSeconds": 77777, "maxRssBytes": 1, "mac": "0" * 64, **claims}
    return frame(1, b'{"version":1,"pid":1,"python":"3.11.2"}') + frame(4, json.dumps(ended, separators=(",", ":")).encode())
def put(content):
    os.unlink(LOG)
    with open(LOG, "wb") as file:
        file.write(content)
`;
const FORGES_SUCCESS_WHEN_STOPPED = `${FORGERS_TOOLS}
def end(*_):
    put(forged())
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(300)
`;
const MESSES = {
  'no log': 'os.unlink(LOG)',
  'a folder': 'os.unlink(LOG); os.mkdir(LOG); open(LOG + "/file", "w").close()',
  'a closed folder': 'os.unlink(LOG); os.mkdir(LOG); os.mkdir(LOG + "/inner"); os.chmod(LOG, 0)',
  'a link': 'os.unlink(LOG); os.symlink("/etc/passwd", LOG)',
  'a link to itself': 'os.unlink(LOG); os.symlink("log", LOG)',
  'a pipe': 'os.unlink(LOG); os.mkfifo(LOG)',
  'a closed log': 'os.chmod(LOG, 0)',
  'a closed spool': 'os.unlink(LOG); os.chmod(SPOOL, 0)',
  'a log of its own in a spool that nobody can write to': 'put(forged()); os.chmod(SPOOL, 0o500)',
};

/** What a script can do to its spool changes nothing of what is made of its job. */
export const FORGERY_CASES = runtimeCases([
  {
    id: 'forged-timeout',
    title: 'a script that forges a success at its time limit has timed out',
    needs: NEEDS,
    run: async (bench) => {
      const workload = await bench.start({ script: FORGES_SUCCESS_WHEN_STOPPED, timeoutSeconds: 1 });
      const { outcome, script } = await verdictOn(bench, workload);
      expect(outcome).toMatchObject({ state: 'TIMED_OUT', reason: 'TIMEOUT', exitCode: 0 });
      expect(script.ended).toMatchObject({ timedOut: true });
      expect((await workload.spool()).stdout).toBe('ready\n');
    },
  },
  {
    id: 'forged-cancel',
    title: 'a script that forges a success as it is cancelled is cancelled, for this server and for the next',
    needs: NEEDS,
    run: async (bench) => {
      const workload = await bench.start({ script: FORGES_SUCCESS_WHEN_STOPPED });
      await workload.printed('ready');
      await bench.provider.stop(workload.handle, 5);
      for (const how of [{ stoppedFor: 'cancel' }, { isCancelRequested: true }] as const)
        expect((await verdictOn(bench, workload, how)).outcome).toMatchObject({ state: 'CANCELLED' });
    },
  },
  {
    id: 'forged-refusals',
    title: 'a script that empties its log and ends with a code of its runner is run once',
    needs: NEEDS,
    run: async (bench) => {
      const codes = Object.values(RUNNER_EXIT_CODES).filter((code) => code < 128);
      for (const code of codes) {
        const script = `${FORGERS_TOOLS}\nos.truncate(LOG, 0)\nos._exit(${code})`;
        const { outcome, isTriedAgain } = await verdictOn(bench, await bench.start({ script }));
        const expected = { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: code };
        expect({ outcome, isTriedAgain }).toMatchObject({ outcome: expected, isTriedAgain: false });
      }
    },
  },
  {
    id: 'forged-replay',
    title: 'a script that puts the signed log of an earlier workload in place ends as it ended',
    needs: NEEDS,
    run: async (bench) => {
      const earlier = await bench.start({ script: 'print("fine")' });
      expect((await verdictOn(bench, earlier)).outcome).toMatchObject({ state: 'SUCCEEDED' });
      const files = [{ path: 'log', content: await readFile(spoolPath(earlier.spec.workspace)) }];
      const script = `${FORGERS_TOOLS}\nput(open("/input/log", "rb").read())\nos._exit(9)`;
      const { outcome } = await verdictOn(bench, await bench.start({ script, files }));
      expect(outcome).toMatchObject({ state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 9 });
    },
  },
  {
    id: 'forged-figures',
    title: 'a script that says it was stopped, late or out of memory, or what it used, is not believed',
    needs: NEEDS,
    run: async (bench) => {
      const claims = 'exitCode=3, stopped=True, timedOut=True, diskExceeded=True, oomKills=5, droppedBytes=9';
      for (const write of ['put(forged(CLAIMS))', 'open(LOG, "ab").write(forged(CLAIMS))']) {
        const script = `${FORGERS_TOOLS}\n${write.replace('CLAIMS', claims)}\nos._exit(3)`;
        const { outcome, script: settled } = await verdictOn(bench, await bench.start({ script }));
        expect(outcome).toMatchObject({ state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 3 });
        expect(settled.ended).toMatchObject({
          stopped: false,
          timedOut: false,
          oomKills: 0,
          droppedBytes: 0,
        });
        expect(settled.ended!.cpuSeconds).toBeLessThan(1000);
      }
    },
  },
  {
    id: 'forged-mess',
    title:
      'a script that leaves something else in the place of its log, or closes it, leaves the log of its runner',
    needs: NEEDS,
    run: async (bench) => {
      for (const [what, mess] of Object.entries(MESSES)) {
        const script = `${FORGERS_TOOLS}\nprint("printed", flush=True)\n${mess}\nos._exit(3)`;
        const workload = await bench.start({ script });
        const { outcome, script: settled } = await verdictOn(bench, workload);
        expect({ what, outcome }).toMatchObject({ what, outcome: { reason: 'EXIT_NONZERO', exitCode: 3 } });
        expect({ what, ended: settled.ended }).toMatchObject({ what, ended: { exitCode: 3 } });
        expect({ what, stdout: (await workload.spool()).stdout }).toEqual({ what, stdout: 'printed\n' });
      }
    },
  },
  {
    id: 'key-search',
    title: 'a script that looks for the key of its runner wherever it can read does not find it',
    needs: NEEDS,
    run: async (bench) => {
      const [key, mask, control] = [newKey(), randomBytes(32), newKey()];
      const masked = Buffer.from(Buffer.from(key, 'hex').map((byte, at) => byte ^ mask[at]!));
      const env = { MASK: mask.toString('hex'), MASKED: masked.toString('hex'), CONTROL: control };
      const workload = await bench.start({ script: await fixture('searches-key'), key, env });
      expect((await verdictOn(bench, workload)).outcome).toMatchObject({ state: 'SUCCEEDED' });
      const found = JSON.parse((await workload.spool()).stdout) as { key: string[]; control: string[] };
      expect(found.key).toEqual([]);
      expect(found.control).toEqual(expect.arrayContaining(['memory of self', '/job/job.json']));
    },
  },
]);
