import { bareContainers } from '../lib/bare-container.mjs';
import { untilRemoved } from '../lib/jobs.mjs';
import { measureThroughput } from '../lib/throughput.mjs';

export const title = 'sustained jobs per minute, Docker';

export async function measure() {
  const figure = await measureThroughput({
    runtime: 'docker',
    makeBaseline: bareContainers,
    settle: untilRemoved,
  });
  return [{ what: 'sustained jobs, Docker', unit: 'jobs/min', promise: { ratioAtLeast: 0.8 }, ...figure }];
}
