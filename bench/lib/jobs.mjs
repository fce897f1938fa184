import { listContainers } from '../../tools/engine.mjs';
import { waitUntil } from './wait-until.mjs';

const FOLLOW = `subscription ($id: ID!) {
  jobLogs(jobId: $id) {
    chunks { seq text }
    job { state message start { kind why } timings { queuedMs startMs runMs collectMs } }
  }
}`;

/** Runs a script that prints one "x" as a client does: the mutation, then the subscription as soon as it has answered. `onFirst` is called with the first chunk. */
export async function followScript(api, script, onFirst) {
  const startedAt = performance.now();
  let firstChunkMs;
  let text = '';
  let job;
  const id = await api.runScript(script);
  const answeredMs = performance.now() - startedAt;
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    if (jobLogs.chunks.length > 0 && firstChunkMs === undefined) {
      firstChunkMs = performance.now() - startedAt;
      onFirst?.();
    }
    for (const chunk of jobLogs.chunks) text += chunk.text;
    if (jobLogs.job) job = jobLogs.job;
  });
  if (job?.state !== 'SUCCEEDED') throw new Error(`the job ended as ${job?.state}: ${job?.message}`);
  if (text !== 'x\n') throw new Error(`the job printed ${JSON.stringify(text)}`);
  const verdictMs = performance.now() - startedAt;
  return { answeredMs, firstChunkMs, verdictMs, start: job.start, timings: job.timings };
}

/** Until the server has removed what its jobs ran in, so that the next measurement does not share the engine with it. */
export function untilRemoved(server) {
  return untilContainersAre(server, 0);
}

/** Until the server has so many containers: those of its workers that wait. */
export function untilContainersAre(server, count) {
  const label = `io.maps-python.installation=${server.installation}`;
  const look = async () => {
    const found = await listContainers(label);
    return { isDone: found.length === count, found };
  };
  return waitUntil(`${count} containers`, look, { everyMs: 10 });
}
