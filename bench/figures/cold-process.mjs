import { bareSandboxes } from '../lib/bare-sandbox.mjs';
import { coldFigures, measureCold } from '../lib/cold.mjs';

export const title = 'cold start, process: runScript sent → first chunk, verdict';

export async function measure() {
  const measured = await measureCold({
    runtime: 'process',
    n: 60,
    makeBaseline: bareSandboxes,
    settle: () => undefined,
  });
  return coldFigures('process', measured, { verdict: 1.8 });
}
