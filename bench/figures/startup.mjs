import { setTimeout as sleep } from 'node:timers/promises';
import { kubeNamespace } from '../../tools/kube-namespace.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';

export const title = 'start to ready, and idle memory';

const ROUNDS = 10;
const IDLE_MS = 5_000;
/** Memory varies little from start to start, and each sample costs the whole idle time. */
const MEMORY_ROUNDS = 3;

export async function measure() {
  const figures = [];
  const runtimes = [
    { runtime: 'docker', idleMb: 150, variables: {} },
    { runtime: 'process', idleMb: 150, variables: {} },
    ...(process.env.KUBECONFIG
      ? [{ runtime: 'kubernetes', idleMb: 200, variables: (await kubeNamespace()).variables }]
      : []),
  ];
  for (const { runtime, idleMb: promisedMb, variables } of runtimes) {
    const startMs = [];
    const idleMb = [];
    for (let round = 0; round < ROUNDS; round++) {
      const server = await startServer(runtime, variables);
      startMs.push(server.startMs);
      if (round < MEMORY_ROUNDS) {
        await sleep(IDLE_MS);
        idleMb.push(server.memory().nowMb);
      }
      await server.stop();
    }
    figures.push(
      {
        what: `start to listening, ${runtime}`,
        unit: 'ms',
        promise: { atMost: 2000 },
        subject: summarize(startMs),
      },
      {
        what: `idle memory, ${runtime}`,
        unit: 'MB',
        promise: { atMost: promisedMb },
        subject: summarize(idleMb),
      },
    );
  }
  return figures;
}
