import { dockerRuns } from '../lib/docker-run.mjs';
import { untilContainersAre } from '../lib/jobs.mjs';
import { measureWarm, verdictFigure, warmFigures } from '../lib/warm.mjs';

export const title = 'warm start, Docker: runScript sent → first chunk, verdict, with a worker waiting';

const IMAGE = 'py-exec:slim';
const SCRIPT = 'print("x")\n';

export async function measure() {
  const measured = await measureWarm({
    runtime: 'docker',
    variables: { RUNNER_IMAGE: IMAGE },
    script: SCRIPT,
    n: 40,
    baselines: { baseline: dockerRuns(IMAGE, SCRIPT).run },
    settle: untilContainersAre,
  });
  return [
    ...warmFigures('warm start, Docker', measured, { p50: 0.05, p95: 0.1 }),
    verdictFigure('warm, Docker', measured, { p50: 0.08 }),
  ];
}
