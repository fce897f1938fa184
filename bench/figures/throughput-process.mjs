import { setTimeout as sleep } from 'node:timers/promises';
import { bareSandboxes } from '../lib/bare-sandbox.mjs';
import { measureThroughput } from '../lib/throughput.mjs';

export const title = 'sustained jobs per minute, process';

export async function measure() {
  const figure = await measureThroughput({
    runtime: 'process',
    makeBaseline: bareSandboxes,
    settle: () => sleep(300),
  });
  return [{ what: 'sustained jobs, process', unit: 'jobs/min', promise: { ratioAtLeast: 0.55 }, ...figure }];
}
