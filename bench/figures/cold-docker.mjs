import { bareContainers } from '../lib/bare-container.mjs';
import { measureCold } from '../lib/cold.mjs';
import { untilRemoved } from '../lib/jobs.mjs';

export const title = 'cold start, Docker: runScript sent → first chunk';

export async function measure() {
  const figure = await measureCold({
    runtime: 'docker',
    n: 40,
    makeBaseline: bareContainers,
    settle: untilRemoved,
  });
  return [{ what: 'cold start, Docker (p50)', unit: 'ms', promise: { ratioAtMost: 1.2 }, ...figure }];
}
