import { readFile, readdir } from 'node:fs/promises';
import type { V1Pod } from '@kubernetes/client-node';
import { decodeHandle } from '../../../../src/runtime/handle.js';
import type { ObservedPod } from '../../../../src/runtime/kubernetes/observed-pod.js';
import type { PodHandle } from '../../../../src/runtime/kubernetes/pod-handle.js';
import { toPod } from '../../../../src/runtime/kubernetes/pod/to-pod.js';
import type { RuntimeProvider } from '../../../../src/runtime/runtime-provider.js';
import { runnerUser } from '../../../../src/workspace/runner-user.js';
import type { RunSpec, RuntimeBench, Workload } from '../runtime-bench.js';
import type { TestCluster } from './runtime-kubernetes.js';
import { POD_OPTIONS } from './runtime-kubernetes.js';

/** Makes the runtime's own pod for a workload, altered behind its back; its handle is the one that is listed. */
export async function startAltered(
  cluster: TestCluster,
  bench: RuntimeBench,
  run: RunSpec,
  alter: (spec: NonNullable<V1Pod['spec']>) => void,
): Promise<Workload> {
  const workload = await bench.prepare(run);
  await workload.makeWithoutStart();
  const template = { ...cluster.options(bench.dataDir), options: POD_OPTIONS, user: runnerUser() };
  const pod = toPod(workload.spec, template);
  alter(pod.spec!);
  await cluster.post(`${cluster.base}/pods`, pod);
  workload.handle = await listedHandle(bench.provider, workload.spec.name);
  return workload;
}

export function setCommand(command: string[]): (spec: NonNullable<V1Pod['spec']>) => void {
  return (spec) => (spec.containers[0]!.command = command);
}

async function listedHandle(provider: RuntimeProvider, name: string): Promise<string> {
  const listed = (await provider.list()).find((each) => each.name === name);
  if (!listed) throw new Error(`${name} is not listed.`);
  return listed.handle;
}

/** The pod of a workload as the cluster has it now. */
export function podOf(cluster: TestCluster, workload: Workload): Promise<ObservedPod | undefined> {
  return cluster.find<ObservedPod>(`${cluster.base}/pods/${workload.spec.name}`);
}

export function runnerPid({ handle }: Workload): Promise<number> {
  return runnerPidOf(decodeHandle<PodHandle>(handle, 'kubernetes')!.uid!);
}

/** The process on this machine that is the runner of a pod: the first of the pod's that runs its program. */
export async function runnerPidOf(podUid: string): Promise<number> {
  const marks = [podUid, podUid.replaceAll('-', '_')];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const [cgroup, command, status] = await Promise.all([read('cgroup'), read('cmdline'), read('status')]);
    const isFirst = /^NSpid:.*\s1$/m.test(status);
    if (isFirst && command.includes('job_runner') && marks.some((mark) => cgroup.includes(mark)))
      return Number(pid);
  }
  throw new Error('The runner was not found among the processes of this machine.');
}
