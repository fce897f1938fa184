import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SILENT_LOG } from '../../../test/support/recorded-log.js';
import { abortable } from '../../common/async/abort.js';
import { loadConfig } from '../../config/load-config.js';
import { WorkspaceLayout } from '../../workspace/workspace-layout.js';
import { WorkspaceMaker } from '../../workspace/workspace-maker.js';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import type { KubernetesOptions } from './kubernetes-options.js';
import type { KubernetesRuntimeProvider } from './kubernetes.runtime.js';
import { tryCluster } from './try-cluster.js';

const OPTIONS = {
  volumeClaims: { inputs: 'in', outputs: 'out', logs: 'log' },
  probeImage: 'image',
  log: SILENT_LOG,
} as KubernetesOptions;

describe('what a server tries of its cluster', () => {
  let folder: string;
  let workspaces: WorkspaceMaker;
  let calls: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'try-cluster-'));
    workspaces = new WorkspaceMaker(new WorkspaceLayout(loadConfig({ DATA_DIR: folder }).storage));
    calls = [];
  });

  afterEach(() => rm(folder, { recursive: true }));

  function runtimeOf(members: Partial<KubernetesRuntimeProvider>): KubernetesRuntimeProvider {
    const note = (call: string) => async (): Promise<void> => void calls.push(call);
    return {
      isInside: false,
      startTimeoutSeconds: 60,
      start: async () => 'handle',
      remove: note('remove'),
      close: note('close'),
      watchNetwork: () => void calls.push('watchNetwork'),
      ...members,
    } as KubernetesRuntimeProvider;
  }

  it('closes the runtime when the probe of the storage throws', async () => {
    const away = new RuntimeUnavailableError('The API server does not answer.');
    const runtime = runtimeOf({ start: () => Promise.reject(away) });
    await expect(tryCluster(runtime, OPTIONS, workspaces)).rejects.toBe(away);
    expect(calls).toEqual(['close']);
  });

  it('closes the runtime when the server’s folders are not the volume claims', async () => {
    const runtime = runtimeOf({ wait: async () => ({ kind: 'exited', exitCode: 0, oomKilled: false }) });
    await expect(tryCluster(runtime, OPTIONS, workspaces)).rejects.toThrow(
      /The folder logs\/ in WORKSPACE_DIR is not the storage of the claim log/,
    );
    expect(calls).toEqual(['remove', 'close']);
  });

  it('gives a probe up that does not end', async () => {
    const never = new Promise<never>(() => undefined);
    const runtime = runtimeOf({ wait: (_handle, signal) => abortable(never, signal) });
    const trying = tryCluster(runtime, OPTIONS, workspaces, 0.05);
    await expect(trying).rejects.toThrow(RuntimeUnavailableError);
    await expect(trying).rejects.toThrow('A probe pod did not end within 0.05 s.');
    expect(calls).toEqual(['remove', 'close']);
  });

  it('tries no storage where the server is a pod, whose folders are the volume claims', async () => {
    const runtime = runtimeOf({ isInside: true });
    expect(await tryCluster(runtime, OPTIONS, workspaces)).toBe(runtime);
    expect(calls).toEqual(['watchNetwork']);
  });
});
