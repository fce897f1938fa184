import { setTimeout as sleep } from 'node:timers/promises';
import { STRIKES } from './strike.mjs';

/** Strikes step after step, and tells `onStep` of each. */
export async function runSchedule(steps, targets, onStep, signal) {
  for (const [at, step] of steps.entries()) {
    await sleep(step.afterMs, undefined, { signal });
    onStep(step, at);
    const fromMs = targets.history.nowMs;
    await STRIKES[step.fault](targets, step, targets.cluster.servers[step.server]);
    signal.throwIfAborted();
    const lastedMs = targets.history.nowMs - fromMs;
    targets.history.add('fault', { name: step.fault, point: step.point, lastedMs });
  }
}
