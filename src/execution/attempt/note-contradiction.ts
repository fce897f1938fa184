import type { Log } from '../../common/log.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { WorkloadExit } from '../../runtime/runtime-provider.js';
import { contradicts } from '../outcome/signed-end.js';

/** A line in the log where an engine tells another end than the runner has signed. */
export function noteContradiction(log: Log, jobId: string, exit: WorkloadExit, ended: EndedFrame): void {
  if (!contradicts(exit, ended)) return;
  const { exitCode, signal } = ended;
  const code = 'exitCode' in exit ? exit.exitCode : undefined;
  log.info(
    { jobId, engine: exit.kind, code, exitCode, signal },
    'the engine does not tell the end that the runner signed; the runner is believed',
  );
}
