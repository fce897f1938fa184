import { bareSandboxes } from '../lib/bare-sandbox.mjs';
import { measureCold } from '../lib/cold.mjs';

export const title = 'cold start, process: runScript sent → first chunk';

export async function measure() {
  const figure = await measureCold({
    runtime: 'process',
    n: 60,
    makeBaseline: bareSandboxes,
    settle: () => undefined,
  });
  return [{ what: 'cold start, process (p50)', unit: 'ms', ...figure }];
}
