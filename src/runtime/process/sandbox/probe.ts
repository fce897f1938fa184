import type { Detection } from '../../runtime-definition.js';
import type { ProcessRuntimeOptions } from '../process-options.js';
import { examineMachine } from './machine.js';

/** Whether this machine can run workloads as processes: a sentence that says with what, or what mends it. */
export async function probeProcess(
  options: Pick<ProcessRuntimeOptions, 'python' | 'isolation'>,
  signal?: AbortSignal,
): Promise<Required<Detection>> {
  const found = await examineMachine(options, signal);
  if (typeof found === 'string') return { fits: false, reason: found };
  return { fits: true, reason: found.description };
}
