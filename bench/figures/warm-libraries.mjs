import { dockerRuns } from '../lib/docker-run.mjs';
import { untilContainersAre } from '../lib/jobs.mjs';
import { measureWarm, verdictFigure, warmFigures } from '../lib/warm.mjs';

export const title =
  'warm start with geopandas and matplotlib, Docker: runScript sent → first chunk, verdict';

const IMAGE = 'py-exec:latest';
const SCRIPT = 'import geopandas\nimport matplotlib.pyplot\nprint("x")\n';

export async function measure() {
  const measured = await measureWarm({
    runtime: 'docker',
    variables: { RUNNER_IMAGE: IMAGE },
    script: SCRIPT,
    n: 15,
    baselines: { baseline: dockerRuns(IMAGE, SCRIPT).run },
    settle: untilContainersAre,
  });
  return [
    ...warmFigures('warm start, geopandas and matplotlib, Docker', measured, { p50: 0.05 }),
    verdictFigure('warm, geopandas and matplotlib, Docker', measured, { p50: 0.04 }),
  ];
}
