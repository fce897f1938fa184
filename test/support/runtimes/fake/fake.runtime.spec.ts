import { beforeEach, describe, expect, it } from '@jest/globals';
import { workspacePaths } from '../../../../src/workspace/workspace-paths.js';
import type { WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError, WorkloadStartError } from '../../../../src/runtime/runtime.errors.js';
import { FakeEngine, ProtocolViolation } from './fake-engine.js';
import { exited } from './fake-workload.js';
import { FakeRuntime } from './fake.runtime.js';

const SPEC: WorkloadSpec = {
  name: 'runner-1',
  jobId: '1',
  attempt: 1,
  image: 'none',
  workspace: workspacePaths('/nowhere', 'w'),
  limits: { memoryMb: 1, cpus: 1, pids: 1, tmpBytes: 1 },
  network: 'NONE',
  timeoutSeconds: 1,
  graceSeconds: 1,
  secrets: [],
};

describe('FakeRuntime', () => {
  let engine: FakeEngine;
  let runtime: FakeRuntime;

  beforeEach(() => {
    engine = new FakeEngine({ secondMs: 5 });
    runtime = new FakeRuntime(engine);
  });

  it('ends a workload as the test says', async () => {
    const handle = await runtime.start(SPEC);
    const wait = runtime.wait(handle);
    engine.workload('runner-1').end(exited(137, true));
    expect(await wait).toEqual({ kind: 'exited', exitCode: 137, oomKilled: true });
  });

  it('refuses the next start with the failure the test gives, once', async () => {
    engine.failNextStart({ kind: 'imageUnavailable' });
    await expect(runtime.start(SPEC)).rejects.toThrow(WorkloadStartError);
    await runtime.start(SPEC);
    expect(engine.starts).toEqual(['runner-1']);
  });

  it('starts and says that nothing is known; started again, it finds the first', async () => {
    engine.loseNextAnswer();
    await expect(runtime.start(SPEC)).rejects.toThrow(RuntimeUnavailableError);
    await runtime.start(SPEC);
    expect(engine.starts).toEqual(['runner-1']);
  });

  it('answers nothing while it is away, and lets a wait wait', async () => {
    const handle = await runtime.start(SPEC);
    engine.goAway();
    const wait = runtime.wait(handle);
    engine.workload('runner-1').end();
    await expect(runtime.list()).rejects.toThrow(RuntimeUnavailableError);
    expect(await runtime.checkHealth()).toMatchObject({ healthy: false });
    engine.comeBack();
    expect(await wait).toEqual(exited(0));
  });

  it('kills after the grace what does not obey', async () => {
    engine.onStart = (workload): void => void (workload.obeysStop = false);
    const handle = await runtime.start(SPEC);
    await runtime.stop(handle, 1);
    expect(await runtime.wait(handle)).toEqual(exited(137));
    expect(engine.workload('runner-1').stops).toEqual([1]);
  });

  it('throws, and remembers, when its caller breaks the contract', async () => {
    const handle = await runtime.start(SPEC);
    await expect(runtime.wait('{"v":1}')).rejects.toThrow(ProtocolViolation);
    await expect(runtime.stop(handle, Number.NaN)).rejects.toThrow(ProtocolViolation);
    await expect(runtime.remove(handle)).rejects.toThrow(/while it runs/);
    const elsewhere = { ...SPEC, workspace: workspacePaths('/nowhere', 'other') };
    await expect(runtime.start(elsewhere)).rejects.toThrow(/another workspace/);
    await runtime.stop(handle, 0);
    await runtime.remove(handle);
    await expect(runtime.start(SPEC)).rejects.toThrow(/after it was removed/);
    await runtime.close();
    await expect(runtime.list()).rejects.toThrow(/closed/);
    expect(engine.violations).toHaveLength(6);
  });
});
