import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FakeEngine } from '../../support/runtimes/fake/fake-engine.js';
import type { FakeWorkload } from '../../support/runtimes/fake/fake-workload.js';
import { exited } from '../../support/runtimes/fake/fake-workload.js';
import { FakeRuntime } from '../../support/runtimes/fake/fake.runtime.js';
import { RunnerSpool } from '../../support/runtimes/fake/fake-spool.js';
import { CASES, describeRuntimeContract } from './runtime-provider.contract.js';

const engine = new FakeEngine({ spool: new RunnerSpool(), secondMs: 20, allowKillByRemove: true });

/** Understands as much of the scripts of the lifecycle cases as a runtime that runs none needs. */
engine.onStart = (workload: FakeWorkload): void => {
  const script = readFileSync(join(workload.spec.workspace.jobDir, 'script.py'), 'utf8');
  workload.obeysStop = !script.includes('SIG_IGN');
  if (script.includes('print("ready"')) workload.print('ready\n');
  const [, exitCode] = /SystemExit\((\d+)\)/.exec(script) ?? [];
  if (exitCode !== undefined) {
    setImmediate(() => workload.state === 'running' && workload.end(exited(Number(exitCode))));
  }
};

describeRuntimeContract('fake', {
  create: () => Promise.resolve(new FakeRuntime(engine)),
  hooks: {
    makeWithoutStart: (spec) => Promise.resolve(engine.make(spec).handle),
    removeBehind: (_handle, spec) => Promise.resolve(engine.vanish(spec.name)),
    leftovers: () => Promise.resolve(engine.all().map((each) => each.spec.name)),
  },
  image: 'none',
  runsPython: false,
  // Whatever needs Python or an image; the cases of a workload's life all run.
  expectedGaps: CASES.filter(({ needs }) => needs.includes('python') || needs.includes('images')).map(
    ({ id }) => id,
  ),
  requiredTier: 'fake',
});
