import { setTimeout as sleep } from 'node:timers/promises';
import { listContainers } from './engine.mjs';

const FOLLOW = `subscription ($id: ID!) {
  jobLogs(jobId: $id) {
    chunks { seq text }
    job { state message timings { queuedMs startMs runMs collectMs } }
  }
}`;

/** Runs a script as a client does: the mutation, then the subscription as soon as it has answered. */
export async function followScript(api, script) {
  const startedAt = performance.now();
  let firstChunkMs;
  let job;
  const id = await api.runScript(script);
  const answeredMs = performance.now() - startedAt;
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    if (jobLogs.chunks.length > 0) firstChunkMs ??= performance.now() - startedAt;
    if (jobLogs.job) job = jobLogs.job;
  });
  if (job?.state !== 'SUCCEEDED') throw new Error(`the job ended as ${job?.state}: ${job?.message}`);
  return { answeredMs, firstChunkMs, timings: job.timings };
}

/** Until the server has removed what its jobs ran in, so that the next measurement does not share the engine with it. */
export async function untilRemoved(server) {
  const label = `io.maps-python.installation=${server.installation}`;
  while ((await listContainers(label)).length > 0) await sleep(10);
}
