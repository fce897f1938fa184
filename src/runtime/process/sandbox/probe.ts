import type { ProcessRuntimeOptions } from '../process-options.js';
import { examineMachine } from './machine.js';

/** Whether this machine can run workloads as processes: a sentence that says with what, or what mends it. */
export async function probeProcess(
  options: Pick<ProcessRuntimeOptions, 'python' | 'isolation'>,
  signal?: AbortSignal,
): Promise<{ ok: boolean; reason: string }> {
  const found = await examineMachine(options, signal);
  if (typeof found === 'string') return { ok: false, reason: found };
  return { ok: true, reason: found.description };
}
