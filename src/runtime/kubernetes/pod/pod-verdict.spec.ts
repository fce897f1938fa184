import { describe, expect, it } from '@jest/globals';
import { STOPPED_ANNOTATION } from '../labels.js';
import type { ObjectMeta, ObservedPod, PodStatus, TerminatedState } from '../observed-pod.js';
import { withFirstDeletion } from '../observed-pod.js';
import { readPod, readVanished } from './pod-verdict.js';

const BEGAN = '2030-01-01T00:00:00Z';
const ENDED = '2030-01-01T00:01:00Z';
const LATER = '2030-01-01T00:02:00Z';

const podOf = (status: PodStatus, metadata: Partial<ObjectMeta> = {}): ObservedPod => ({
  metadata: { name: 'runner-1', uid: 'u', resourceVersion: '7', creationTimestamp: BEGAN, ...metadata },
  spec: { nodeName: 'node-1', terminationGracePeriodSeconds: 8 },
  status,
});
const ended = (exitCode: number, more: Partial<TerminatedState> = {}): PodStatus['containerStatuses'] => [
  { state: { terminated: { exitCode, startedAt: BEGAN, finishedAt: ENDED, ...more } } },
];
const waiting = (reason: string, message?: string): PodStatus => ({
  phase: 'Pending',
  containerStatuses: [
    { image: 'py-exec:slim', state: { waiting: { reason, ...(message ? { message } : {}) } } },
  ],
});
const disrupted = (reason: string, message = ''): PodStatus['conditions'] => [
  { type: 'DisruptionTarget', status: 'True', reason, message },
];
const running: PodStatus = {
  phase: 'Running',
  containerStatuses: [{ state: { running: { startedAt: BEGAN } } }],
};
const exited = (exitCode: number, oomKilled = false): object => ({ kind: 'exited', exitCode, oomKilled });
const stopped = { annotations: { [STOPPED_ANNOTATION]: 'true' } };
/** Deleted with eight seconds of grace, half a minute after it began. */
const deletedBefore = {
  deletionTimestamp: '2030-01-01T00:00:38Z',
  deletionGracePeriodSeconds: 8,
};
const deletedAfter = { deletionTimestamp: LATER, deletionGracePeriodSeconds: 8 };

describe('a pod whose container has ended', () => {
  const cases: [string, ObservedPod, object][] = [
    ['by itself', podOf({ phase: 'Succeeded', containerStatuses: ended(0) }), exited(0)],
    ['with a code', podOf({ phase: 'Failed', containerStatuses: ended(3) }), exited(3)],
    ['while the pod still runs', podOf({ phase: 'Running', containerStatuses: ended(3) }), exited(3)],
    [
      'for want of memory',
      podOf({ phase: 'Failed', containerStatuses: ended(137, { reason: 'OOMKilled' }) }),
      exited(137, true),
    ],
    [
      'before the pod was deleted',
      podOf({ phase: 'Failed', containerStatuses: ended(143) }, deletedAfter),
      exited(143),
    ],
    [
      'by itself, after the pod was deleted',
      podOf({ phase: 'Succeeded', containerStatuses: ended(0) }, deletedBefore),
      exited(0),
    ],
    [
      'by the deadline of its pod',
      podOf({ phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: ended(143) }),
      { kind: 'deadlineExceeded' },
    ],
    [
      'by itself at the deadline of its pod',
      podOf({ phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: ended(3) }),
      exited(3),
    ],
    [
      'by our stop, which is a deadline',
      podOf({ phase: 'Failed', reason: 'DeadlineExceeded', containerStatuses: ended(137) }, stopped),
      exited(137),
    ],
    [
      'by eviction',
      podOf({
        phase: 'Failed',
        reason: 'Evicted',
        message: 'The node was low on resource: memory.',
        containerStatuses: ended(137),
      }),
      { kind: 'evicted', message: expect.stringContaining('low on resource: memory') },
    ],
    ...['Shutdown', 'NodeShutdown', 'Terminated', 'Preempting'].map(
      (reason): [string, ObservedPod, object] => [
        `by the platform: ${reason}`,
        podOf({ phase: 'Failed', reason, message: 'node is shutting down', containerStatuses: ended(143) }),
        { kind: 'evicted', message: expect.stringMatching(`${reason}.*node is shutting down`) },
      ],
    ),
    ...['PreemptionByScheduler', 'EvictionByEvictionAPI', 'TerminationByKubelet'].map(
      (reason): [string, ObservedPod, object] => [
        `by a disruption: ${reason}`,
        podOf({
          phase: 'Failed',
          conditions: disrupted(reason, 'preempting to accommodate a higher priority pod'),
          containerStatuses: ended(143),
        }),
        { kind: 'evicted', message: expect.stringMatching(`${reason}.*preempting to accommodate`) },
      ],
    ),
    ...['DeletionByTaintManager', 'DeletionByPodGC'].map((reason): [string, ObservedPod, object] => [
      `with its node: ${reason}`,
      podOf({ phase: 'Failed', conditions: disrupted(reason), containerStatuses: ended(137) }),
      { kind: 'nodeLost', message: expect.not.stringContaining('node-1') },
    ]),
    [
      'by itself during a disruption',
      podOf({
        phase: 'Succeeded',
        conditions: disrupted('PreemptionByScheduler'),
        containerStatuses: ended(0),
      }),
      exited(0),
    ],
    [
      'in a way that nobody saw',
      podOf({ phase: 'Failed', containerStatuses: ended(137, { reason: 'ContainerStatusUnknown' }) }),
      { kind: 'lost', message: expect.any(String) },
    ],
    ...['StartError', 'ContainerCannotRun', 'RunContainerError'].map(
      (reason): [string, ObservedPod, object] => [
        `without having run: ${reason}`,
        podOf({
          phase: 'Failed',
          containerStatuses: ended(128, { reason, message: 'exec: "x": executable file not found in $PATH' }),
        }),
        {
          kind: 'startFailed',
          failure: {
            kind: 'refused',
            message: expect.stringMatching(`${reason}.*executable file not found`),
            hint: expect.any(String),
            retryable: false,
          },
        },
      ],
    ),
  ];
  it('since the pod was deleted is removed when it is gone', () => {
    const pod = podOf({ phase: 'Running', containerStatuses: ended(143) }, deletedBefore);
    expect(readPod(pod)).toMatchObject({ kind: 'ending', exit: { kind: 'removed' } });
    expect(readVanished(pod)).toEqual({ kind: 'removed' });
  });

  it.each(cases)('%s', (_, pod, exit) => {
    expect(readPod(pod)).toEqual({ kind: 'ended', exit });
    expect(readVanished(pod)).toEqual(exit);
  });

  it.each([
    [
      'evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low', containerStatuses: [] },
      deletedBefore,
      'evicted',
    ],
    ['preempted', { phase: 'Running', conditions: disrupted('PreemptionByScheduler') }, {}, 'evicted'],
    ['with its node', { phase: 'Running', conditions: disrupted('DeletionByTaintManager') }, {}, 'nodeLost'],
  ] as [string, PodStatus, object, string][])(
    'unknown, as the container says nothing, but the pod does: %s',
    (_, status, metadata, kind) => {
      const containerStatuses = ended(137, {
        reason: 'ContainerStatusUnknown',
        startedAt: null,
        finishedAt: null,
      });
      expect(readPod(podOf({ ...status, containerStatuses }, metadata))).toMatchObject({
        kind: 'ended',
        exit: { kind },
      });
    },
  );
});

describe('a pod that is over without the end of a container', () => {
  const cases: [string, PodStatus, object][] = [
    [
      'evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      { kind: 'evicted', message: expect.stringContaining('low on memory') },
    ],
    ['at its deadline', { phase: 'Failed', reason: 'DeadlineExceeded' }, { kind: 'deadlineExceeded' }],
    [
      'with its node',
      { phase: 'Failed', reason: 'NodeLost', message: 'Node node-1 is unreachable' },
      { kind: 'nodeLost', message: expect.not.stringContaining('node-1') },
    ],
    [
      'with its node, which was found out later',
      { phase: 'Failed', conditions: disrupted('DeletionByPodGC') },
      { kind: 'nodeLost', message: expect.not.stringContaining('node-1') },
    ],
    ['without a word', { phase: 'Failed' }, { kind: 'lost', message: expect.any(String) }],
    ['well, it says', { phase: 'Succeeded' }, { kind: 'lost', message: expect.any(String) }],
  ];
  it.each(cases)('%s', (_, status, exit) => {
    expect(readPod(podOf(status))).toEqual({ kind: 'ending', exit, patienceMs: 18_000 });
  });

  it.each(['OutOfcpu', 'OutOfpods', 'NodeAffinity', 'UnexpectedAdmissionError'])(
    'refused by its node: %s',
    (reason) => {
      expect(readPod(podOf({ phase: 'Failed', reason, message: 'did not fit' }))).toEqual({
        kind: 'ended',
        exit: {
          kind: 'startFailed',
          failure: {
            kind: 'unschedulable',
            message: expect.stringMatching(`${reason}.*did not fit`),
            retryable: true,
          },
        },
      });
    },
  );

  it('stopped by us before it had begun', () => {
    const verdict = readPod(podOf({ phase: 'Failed', reason: 'DeadlineExceeded' }, stopped));
    expect(verdict).toMatchObject({ kind: 'ending', exit: { kind: 'lost' } });
  });
});

it('takes the word of a pod that we stopped when its container is said to run on', () => {
  const status: PodStatus = { ...running, phase: 'Failed', reason: 'DeadlineExceeded' };
  expect(readPod(podOf(status, stopped))).toEqual({ kind: 'ending', exit: exited(137), patienceMs: 18_000 });
  expect(readPod(podOf(status))).toMatchObject({ kind: 'ending', exit: { kind: 'deadlineExceeded' } });
});

describe('a pod that somebody deletes, and that its kubelet deletes once more when its container has ended', () => {
  /** As Kubernetes 1.37 shows them one after the other: with 30 s of grace, ended after 1 s, cleared away after 3. */
  const asked = podOf(running, {
    deletionTimestamp: '2030-01-01T00:01:29Z',
    deletionGracePeriodSeconds: 30,
  });
  const over = { ...asked, status: { phase: 'Failed', containerStatuses: ended(143) } as const };
  const cleared = podOf(over.status, {
    deletionTimestamp: '2030-01-01T00:01:02Z',
    deletionGracePeriodSeconds: 0,
  });
  const removed = { kind: 'removed' };

  it('is removed while its object is there', () => {
    expect(readPod(withFirstDeletion(over, asked))).toMatchObject({ kind: 'ending', exit: removed });
  });

  it('is removed when the last that is seen of it is the second deletion', () => {
    const seen = [asked, over, cleared].reduce((before, pod) => withFirstDeletion(pod, before));
    expect(readVanished(seen)).toEqual(removed);
    expect(readVanished(withFirstDeletion(cleared, asked))).toEqual(removed);
  });

  it('has ended by itself when nothing shows that it was deleted before', () => {
    expect(readVanished(cleared)).toEqual(exited(143));
    const another = { ...asked, metadata: { ...asked.metadata, uid: 'other' } };
    expect(readVanished(withFirstDeletion(cleared, another))).toEqual(exited(143));
  });
});

describe('a pod that is not over', () => {
  it('runs', () => expect(readPod(podOf(running))).toEqual({ kind: 'underWay' }));

  it('runs, with a condition of a disruption that does not hold', () => {
    const conditions = [{ type: 'DisruptionTarget', status: 'False', reason: 'X' } as const];
    expect(readPod(podOf({ ...running, conditions }))).toEqual({ kind: 'underWay' });
  });

  it('is being deleted: its node has its grace and a minute', () => {
    expect(readPod(podOf(running, deletedBefore))).toEqual({
      kind: 'ending',
      exit: { kind: 'nodeLost', message: 'The node of the pod does not answer any more.' },
      patienceMs: 68_000,
    });
  });

  it.each([
    {},
    { phase: 'Pending' },
    waiting('ContainerCreating'),
    waiting('PodInitializing'),
  ] as PodStatus[])('is on its way: %j', (status) =>
    expect(readPod(podOf(status))).toEqual({ kind: 'underWay' }),
  );

  it('is hindered', () => {
    const verdict = readPod(podOf(waiting('ErrImageNeverPull', 'not present')));
    expect(verdict).toMatchObject({ kind: 'hindered', hindrance: { failure: { kind: 'imageUnavailable' } } });
  });

  it.each([
    ['Unschedulable', '0/1 nodes are available: 1 Insufficient cpu.', /No node has room.*Insufficient cpu/],
    ['Unschedulable', 'persistentvolumeclaim "maps-inputs" not found', /A claim is not ready.*maps-inputs/],
    [
      'Unschedulable',
      '0/1 nodes: pod has unbound immediate PersistentVolumeClaims.',
      /A claim is not ready.*unbound/,
    ],
    ['SchedulingGated', 'Scheduling is blocked due to non-empty scheduling gates', /queue.*non-empty/],
    ['Unschedulable', undefined, /No node has room.*Unschedulable/],
  ])('waits for room: %s %s', (reason, message, expected) => {
    const conditions = [
      { type: 'PodScheduled', status: 'False', reason, ...(message ? { message } : {}) } as const,
    ];
    expect(readPod(podOf({ phase: 'Pending', conditions }))).toEqual({
      kind: 'waiting',
      failure: expect.objectContaining({
        kind: 'unschedulable',
        message: expect.stringMatching(expected),
        retryable: true,
      }),
    });
  });
});

describe('a pod that is not there any more', () => {
  const cases: [string, PodStatus, object][] = [
    ['ran when it was seen last', running, { kind: 'removed' }],
    ['had not begun', { phase: 'Pending' }, { kind: 'removed' }],
    ['had ended', { phase: 'Failed', containerStatuses: ended(3) }, exited(3)],
    [
      'was preempted',
      { ...running, conditions: disrupted('PreemptionByScheduler', 'for another') },
      { kind: 'evicted', message: expect.stringContaining('for another') },
    ],
    [
      'was on a node that is gone',
      { ...running, conditions: disrupted('DeletionByPodGC') },
      { kind: 'nodeLost', message: expect.not.stringContaining('node-1') },
    ],
    [
      'was evicted',
      { phase: 'Failed', reason: 'Evicted', message: 'low on memory' },
      { kind: 'evicted', message: expect.stringContaining('low on memory') },
    ],
    [
      'had run into its deadline',
      { phase: 'Failed', reason: 'DeadlineExceeded' },
      { kind: 'deadlineExceeded' },
    ],
  ];
  it.each(cases)('%s', (_, status, exit) => expect(readVanished(podOf(status))).toEqual(exit));
});
