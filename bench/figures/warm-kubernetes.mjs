import { kubeNamespace, kubectl } from '../../tools/kube-namespace.mjs';
import { kubectlRuns } from '../lib/kubectl-run.mjs';
import { waitUntil } from '../lib/wait-until.mjs';
import { measureWarm, verdictFigure, warmFigures } from '../lib/warm.mjs';

export const title = 'warm start, Kubernetes: runScript sent → first chunk, verdict, with a worker waiting';

const IMAGE = 'py-exec:slim';
const SCRIPT = 'print("x")\n';

export async function measure() {
  const { namespace, variables } = await kubeNamespace();
  const measured = await measureWarm({
    runtime: 'kubernetes',
    variables,
    script: SCRIPT,
    n: 20,
    baselines: { baseline: kubectlRuns(namespace, IMAGE, SCRIPT).run },
    // The baseline's pods, too.
    settle: (_server, count) => untilPodsAre(namespace, count),
  });
  return [
    ...warmFigures('warm start, Kubernetes', measured, { p50: 0.05 }),
    verdictFigure('warm, Kubernetes', measured, {}),
  ];
}

function untilPodsAre(namespace, count) {
  const look = async () => {
    const found = (await kubectl('get', 'pods', '-n', namespace, '-o', 'name')).split('\n').filter(Boolean);
    return { isDone: found.length === count, found };
  };
  return waitUntil(`${count} pods`, look, { everyMs: 50 });
}
