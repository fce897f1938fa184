import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CHECKS } from '../../../scripts/check-image/checks/all.mjs';
import { faultOf } from '../../../scripts/check-image/run-checks.mjs';
import { PlainRunner } from '../../support/runtimes/process/plain-runner.js';
import { RUNNER_CONTRACT as contract } from '../../support/runtimes/runner-contract.js';

/** For a runner that works, on a loaded machine; one that is broken keeps a check waiting for as long. */
const PATIENCE_MS = 60_000;
const IMPATIENCE_MS = 5_000;

/** For each check a runner that it finds fault with: a file of the runner, and what is changed in it. */
const BROKEN: Record<string, [file: string, old: string, changed: string, fault: RegExp]> = {
  'the order is read, and the request': [
    'script.py',
    '    env.update(order.env)\n',
    '',
    /\[null,"check-image"/,
  ],
  'an order of a version it does not know is refused': [
    'order.py',
    ' or fields.get("version") != 1',
    '',
    /exit code is 0, not 122/,
  ],
  'without an order nothing runs': [
    'contract.py',
    'EXIT_BAD_ORDER = 122',
    'EXIT_BAD_ORDER = 1',
    /is 1, not 122/,
  ],
  'an order that was withdrawn is not carried out': [
    'order.py',
    'if fields.get("withdrawn"):',
    'if False:',
    /is 122, not 125/,
  ],
  'a script is never run twice': [
    'log.py',
    'if status.st_size > 0:',
    'if False:',
    /second run is 0, not 121/,
  ],
  'a script waits until the network is closed, and the log tells of it': [
    'cold.py',
    'gate = find_network_gate()',
    'gate = None',
    /`network.closed` of the first frame is missing/,
  ],
  'members of the order that it does not know are ignored': [
    'order.py',
    '        self.job_id = ',
    '        assert_known = {}[fields["later"]] if "later" in fields else None\n        self.job_id = ',
    /output is ""/,
  ],
  'the script is the main program, in /output, and finds nothing of its runner': [
    'script.py',
    '    env = {\n',
    '    env = {\n        **os.environ,\n',
    /RUNNER_OF_THE_CHECK/,
  ],
  'what the script leaves in its folder is an output': [
    'script.py',
    'os.chdir(OUTPUT_DIR)',
    'os.chdir(INPUT_DIR)',
    /made\.txt in \/output is missing/,
  ],
  'an exit code is told': [
    'supervise.py',
    'return self.status if self.status >= 0 else 128 - self.status',
    'return 0',
    /is 0, not 7/,
  ],
  'an error ends with 1 and its traceback': [
    '../loader.py',
    '    "the script".pop()()\n    raise',
    '    __import__("os")._exit(1)',
    /stderr is ""/,
  ],
  'a signal is told': [
    'supervise.py',
    '-self.status if self.status < 0 else "null",',
    '"null",',
    /`signal` of the last frame is null, not 9/,
  ],
  'processes that the script leaves are ended': [
    'supervise.py',
    '        self.kill()\n        is_alone',
    '        is_alone',
    /still writes/,
  ],
  'both streams are in the log, in frames that count 1, 2, 3 …': [
    'supervise.py',
    'self.record(STDERR, errors)',
    'self.record(STDOUT, errors)',
    /stdout is "out\\nerr\\n"/,
  ],
  'output is there while the script runs': ['log.py', 'if not self.closed:', 'if False:', /“now” in the log/],
  'what is no UTF-8 is replaced': [
    'pipes.py',
    '"replace", final',
    '"ignore", final',
    /stdout begins with "aéé/,
  ],
  'there is a copy for people who look at the container': [
    'supervise.py',
    'self.copy.write(data)',
    'pass',
    /the runner’s stdout is ""/,
  ],
  'a secret comes by standard input, and is masked': [
    'cold.py',
    'pipe.mask = SecretMask(secrets.values())',
    'pass',
    /a-value-nobody-may-see/,
  ],
  'a secret comes by the environment, and is masked': [
    'secrets.py',
    'return {name: os.environ[name] for name in names}',
    'return {name: "" for name in names}',
    /stdout is "0 \\n"/,
  ],
  'without the value of a secret nothing runs': [
    'secrets.py',
    'missing = [name for name in names if name not in os.environ]',
    'missing = []',
    /is 123, not 124/,
  ],
  'SIGTERM ends the script': [
    'supervise.py',
    'and not self.is_ending():\n                self.stopped = True\n',
    'and not self.is_ending():\n',
    /`stopped` of the last frame is false/,
  ],
  'the stop file ends the script': [
    'supervise.py',
    'self.stop_file = stop_file',
    'self.stop_file = None',
    /did not end/,
  ],
  'a script that does not obey is killed after the grace': [
    'supervise.py',
    'self.kill_at = clock() + grace_seconds',
    'self.kill_at = clock() + 1000',
    /did not end/,
  ],
  'the time limit ends the script': [
    'supervise.py',
    'self.started_at + order.timeout_seconds',
    'self.started_at + 1000',
    /did not end/,
  ],
  'a log that is full keeps its end, and tells what it lacks': [
    'log.py',
    '[(GAP, stream, time_us, b"%d" % lost) for stream, lost in self.dropped.items() if lost]',
    '[]',
    /kinds of frames is \["started","output","ended"\]/,
  ],
  'output beyond its limit ends the script': [
    'supervise.py',
    'if now >= self.meter.next_at and self.meter.exceeds():',
    'if False:',
    /did not end/,
  ],
  'limits of the order are those of the script': [
    'script.py',
    '    limit_resources(order.rlimits)\n',
    '',
    /not "\(123, 123\)/,
  ],
  'the first frame and the last are signed': [
    'log.py',
    'self._deciding("ended", ENDED, time_us, payload)',
    '(ENDED, 0, time_us, payload)',
    /`ended` is not signed/,
  ],
  'the key is gone when the script runs': [
    'supervise.py',
    'signer.remove_key()',
    'pass',
    /what is in \/spool is "\['key', 'log'\]/,
  ],
  'a signed order without its key is refused': [
    'signature.py',
    'elif order.signed:',
    'elif False:',
    /exit code is 0, not 121/,
  ],
  'a log that the script put something else in place of is put back': [
    'put_back.py',
    'if not is_at(LOG_FILE, status):',
    'if False:',
    /log does not end with `ended`/,
  ],
  'a worker signs that it is ready, and its job': [
    'worker/wait.py',
    '"ready", b"", text.encode()',
    '"ended", b"", text.encode()',
    /ready report is "forged", not "signed"/,
  ],
  'a worker says that it is ready, and takes one job': [
    'worker/wait.py',
    '"heartbeatSeconds": BEAT_SECONDS',
    '"later": 1',
    /`heartbeatSeconds` of the ready report is missing/,
  ],
  'a worker names the module that it cannot import': [
    'worker/wait.py',
    'failed.append({"module": failure.module, "reason": str(failure)})',
    'pass',
    /failed module is missing/,
  ],
  'a worker refuses a job with secrets': [
    'worker/wait.py',
    'if order.secret_names:',
    'if False:',
    /is 0, not 119/,
  ],
  'a worker that no job comes for ends': [
    'contract.py',
    'EXIT_NO_JOB_CAME = 118',
    'EXIT_NO_JOB_CAME = 1',
    /is 1, not 118/,
  ],
  'a worker that is stopped while it waits ends': [
    'stop.py',
    'Refusal(EXIT_STOPPED, "asked to stop before " + before_what)',
    'Refusal(1, "asked to stop")',
    /is 1, not 143/,
  ],
};

describe('the checks of `npm run check-image`', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maps-check-image-'));
  let whole: PlainRunner;

  beforeAll(() => {
    whole = bundle('runner-image', 'whole.py');
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function bundle(sources: string, name: string): PlainRunner {
    const target = join(folder, name);
    execFileSync('python3', [join(sources, 'bundle.py'), target]);
    return new PlainRunner(target);
  }

  /** The runner with one place of its source changed. */
  function broken(file: string, old: string, changed: string): PlainRunner {
    const sources = mkdtempSync(join(folder, 'sources-'));
    cpSync('runner-image', sources, { recursive: true });
    const path = join(sources, 'runner', file);
    const pieces = readFileSync(path, 'utf8').split(old);
    expect(pieces).toHaveLength(2);
    writeFileSync(path, pieces.join(changed));
    return bundle(sources, 'broken.py');
  }

  it('are all tried with a broken runner', () => {
    expect(CHECKS.map(({ title }) => title)).toEqual(Object.keys(BROKEN));
  });

  it.each(CHECKS)('let the runner of this repository pass: $title', async (check) => {
    expect(await faultOf(check, { runner: whole, contract, deadlineMs: PATIENCE_MS })).toBeUndefined();
  });

  it.each(CHECKS)('find what is broken: $title', async (check) => {
    const [file, old, changed, fault] = BROKEN[check.title]!;
    const runner = broken(file, old, changed);
    expect(await faultOf(check, { runner, contract, deadlineMs: IMPATIENCE_MS })).toMatch(fault);
  });
});
