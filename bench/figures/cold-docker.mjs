import { bareContainers } from '../lib/bare-container.mjs';
import { coldFigures, measureCold } from '../lib/cold.mjs';
import { untilRemoved } from '../lib/jobs.mjs';

export const title = 'cold start, Docker: runScript sent → first chunk, verdict';

export async function measure() {
  const measured = await measureCold({
    runtime: 'docker',
    n: 40,
    makeBaseline: bareContainers,
    settle: untilRemoved,
  });
  return coldFigures('Docker', measured, { start: 1.2 });
}
