import { bareSandboxes } from '../lib/bare-sandbox.mjs';
import { firstOutputMs } from '../lib/first-output.mjs';
import { measureWarm, warmFigures } from '../lib/warm.mjs';

export const title = 'warm start, process: runScript sent → first chunk, with a worker waiting';

const SCRIPT = 'print("x")\n';

export async function measure() {
  const { firstLineMs } = await bareSandboxes(SCRIPT);
  const measured = await measureWarm({
    runtime: 'process',
    script: SCRIPT,
    n: 60,
    baselines: { python: () => firstOutputMs('python3', ['-u', '-c', SCRIPT]), bwrap: firstLineMs },
    settle: () => undefined,
  });
  return [
    ...warmFigures('warm start, process, beside python3', measured, { baseline: 'python' }),
    ...warmFigures('warm start, process, beside bwrap', measured, { baseline: 'bwrap' }),
  ];
}
