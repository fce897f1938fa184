import { describe, expect, it } from '@jest/globals';
import { SILENT_LOG } from '../../../test/support/recorded-log.js';
import { newKey } from '../../runner/key.js';
import type { WorkloadKey } from '../../runner/key.js';
import { signReady } from '../../runner/signature.js';
import type { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import type { KeyState, WorkspaceSpools } from '../../workspace/workspace-spools.js';
import type { RuntimeProvider } from '../runtime-provider.js';
import type { LaunchedWorker, WorkerSpec } from './worker-launcher.js';
import { WorkerLauncher, exitText } from './worker-launcher.js';

const SPEC: WorkerSpec = {
  id: 'w-1',
  environment: 'default',
  image: 'i',
  limits: { memoryMb: 1, cpus: 1, pids: 1, tmpBytes: 1 },
  network: 'NONE',
  timeoutSeconds: 1,
  graceSeconds: 1,
  preload: undefined,
  idleSeconds: 1,
};
const REPORT = '{"version":1}';

describe('the report of a new worker', () => {
  /** Launches one that says what `say` makes of its key. */
  async function launch(
    say: (key: WorkloadKey) => string,
    keyState: KeyState = 'lies',
  ): Promise<{ launched: LaunchedWorker; key: WorkloadKey }> {
    let key: WorkloadKey | undefined;
    const runtime = {
      startTimeoutSeconds: 1,
      imageVersion: async () => undefined,
      start: async () => 'handle',
      wait: () => new Promise(() => undefined),
      remove: async () => undefined,
    } as unknown as RuntimeProvider;
    const workspaces = {
      makeForWorker: async (_: string, given: WorkloadKey) => void (key = given),
      discard: async () => undefined,
    } as unknown as WorkspaceMaker;
    const spools = {
      readReady: async () => say(key!),
      keyState: async () => keyState,
    } as unknown as WorkspaceSpools;
    const launcher = new WorkerLauncher(runtime, workspaces, spools, SILENT_LOG);
    return { launched: await launcher.launch(SPEC, new AbortController().signal), key: key! };
  }

  it('is believed where it is signed with the worker’s key, which goes with the worker', async () => {
    const { launched, key } = await launch((given) => signReady(REPORT, given));
    expect(launched.worker).toMatchObject({ workload: 'runner-w-1', key: key.key });
    expect(key).toEqual({ workload: 'runner-w-1', key: expect.stringMatching(/^[0-9a-f]{64}$/) });
  });

  it('is not believed where it is signed with another key', async () => {
    const another = (key: WorkloadKey): string => signReady(REPORT, { ...key, key: newKey() });
    await expect(launch(another)).rejects.toThrow('not signed by its runner');
  });

  it('is taken at its word of a runner that signs nothing, and has left its key alone', async () => {
    expect((await launch(() => REPORT)).launched.report.failed).toEqual([]);
    await expect(launch(() => REPORT, 'taken')).rejects.toThrow('not signed by its runner');
  });
});

describe('the end of a worker that never had a job', () => {
  const ended = (exitCode: number, oomKilled = false): string =>
    exitText({ kind: 'exited', exitCode, oomKilled });

  it('says what the runner’s own codes mean, and what mends it', () => {
    expect(ended(117)).toMatch(/^exit code 117\. The network did not close, .*network-policy\.yaml/);
    expect(ended(123)).toBe('exit code 123. The runner failed.');
  });

  it('says the code alone where it is not one of those', () => {
    expect([ended(3), ended(137, true)]).toEqual(['exit code 3', 'exit code 137, out of memory']);
  });
});
