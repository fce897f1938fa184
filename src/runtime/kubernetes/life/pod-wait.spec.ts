import { describe, expect, it } from '@jest/globals';
import { engineTextOf, publicMessage } from '../../public-message.js';
import type { WorkloadExit } from '../../runtime-provider.js';
import type { Cluster } from '../api/cluster.js';
import type { ObservedEvent, ObservedPod } from '../observed-pod.js';
import { PodWait } from './pod-wait.js';
import type { PodWatch } from './pod-watch.js';

const EVICTED = 'Usage of EmptyDir volume "tmp" exceeds the limit "16Mi".';

/** What is said of a pod whose container has ended so, and of which the cluster tells these events. */
function exitOf(
  exitCode: number,
  events: ObservedEvent[],
  reason?: string,
  nodeName?: string,
): Promise<WorkloadExit> {
  const terminated = { exitCode, startedAt: '2030-01-01T00:00:00Z', finishedAt: '2030-01-01T00:01:00Z' };
  const pod: ObservedPod = {
    metadata: { name: 'runner-1', uid: 'u', resourceVersion: '1', creationTimestamp: '2030-01-01T00:00:00Z' },
    spec: nodeName === undefined ? {} : { nodeName },
    status: {
      phase: 'Failed',
      containerStatuses: [{ state: { terminated: { ...terminated, ...(reason ? { reason } : {}) } } }],
    },
  };
  const follower = { current: () => ({ isThere: true, last: pod }), stop: () => undefined };
  const watch = { follow: () => follower } as unknown as PodWatch;
  const cluster = { eventsOf: () => Promise.resolve(events) } as unknown as Cluster;
  return new PodWait(cluster, watch, 'runner-1', 'u', 60, undefined).run(new AbortController().signal);
}

describe('a container that was ended from outside', () => {
  const eviction = [{ type: 'Warning', reason: 'Evicted', message: EVICTED }];

  it.each([137, 143])('with code %d was evicted when its kubelet says so', async (exitCode) => {
    expect(await exitOf(exitCode, eviction)).toEqual({
      kind: 'evicted',
      message: `The cluster took the pod away (Evicted): ${EVICTED}`,
    });
  });

  it('says which machine its message may name', async () => {
    const preempted = [{ type: 'Normal', reason: 'Preempted', message: 'Preempted by pod 1 on node node-7' }];
    const exit = await exitOf(137, preempted, undefined, 'node-7');
    expect(exit).toMatchObject({ kind: 'evicted', machine: 'node-7' });
    expect(publicMessage(engineTextOf(exit)!)).toBe(
      'The cluster took the pod away (Preempted): Preempted by pod 1 on node …',
    );
  });

  it.each([137, 143])('with code %d was killed when nobody says why', async (exitCode) => {
    const started = [{ type: 'Normal', reason: 'Started', message: 'Started container runner' }];
    expect(await exitOf(exitCode, started)).toEqual({ kind: 'exited', exitCode, oomKilled: false });
  });

  it('was not, when it ended by itself or for want of memory', async () => {
    expect(await exitOf(1, eviction)).toMatchObject({ kind: 'exited', exitCode: 1 });
    expect(await exitOf(137, eviction, 'OOMKilled')).toMatchObject({ kind: 'exited', oomKilled: true });
  });
});
