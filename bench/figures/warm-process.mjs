import { bareSandboxes } from '../lib/bare-sandbox.mjs';
import { timedRun } from '../lib/timed-run.mjs';
import { fromDist } from '../../tools/paths.mjs';
import { measureWarm, verdictFigure, warmFigures } from '../lib/warm.mjs';

export const title = 'warm start, process: runScript sent → first chunk, verdict, with a worker waiting';

const SCRIPT = 'print("x")\n';

export async function measure() {
  const { run } = await bareSandboxes(SCRIPT);
  // As the server does: what is found by that name may be a version manager's shell script.
  const { askInterpreter } = await fromDist('runtime/process/interpreter.js');
  const { executable } = await askInterpreter('python3');
  const measured = await measureWarm({
    runtime: 'process',
    script: SCRIPT,
    n: 60,
    baselines: { python: () => timedRun(executable, ['-u', '-c', SCRIPT]), bwrap: run },
    settle: () => undefined,
  });
  return [
    ...warmFigures('warm start, process, beside python3', measured, { baseline: 'python' }),
    ...warmFigures('warm start, process, beside bwrap', measured, { baseline: 'bwrap' }),
    verdictFigure('warm, process, beside bwrap', measured, { baseline: 'bwrap' }),
  ];
}
