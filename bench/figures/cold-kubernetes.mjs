import { setTimeout as sleep } from 'node:timers/promises';
import { coldFigures, measureCold } from '../lib/cold.mjs';
import { kubeNamespace, kubectl } from '../../tools/kube-namespace.mjs';
import { kubectlRuns } from '../lib/kubectl-run.mjs';

export const title = 'cold start, Kubernetes: runScript sent → first chunk, verdict';

const IMAGE = 'py-exec:slim';

export async function measure() {
  const { namespace, variables } = await kubeNamespace();
  const measured = await measureCold({
    runtime: 'kubernetes',
    variables,
    n: 20,
    makeBaseline: (script) => kubectlRuns(namespace, IMAGE, script),
    settle: async () => {
      while ((await kubectl('get', 'pods', '-n', namespace, '-o', 'name')) !== '') await sleep(50);
    },
  });
  return coldFigures('Kubernetes', measured, { start: 0.8 });
}
