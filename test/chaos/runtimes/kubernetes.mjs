import { kubectl, kubeNamespace } from '../../../tools/kube-namespace.mjs';

const KINDS = 'pods,configmaps,secrets';

/** Jobs as pods in a namespace of its own, whose claims are folders of this machine. */
export async function kubernetesRuntime({ installation }) {
  const { namespace, variables } = await kubeNamespace('maps-chaos-');
  const selector = `maps-python/installation=${installation}`;
  return {
    variables: { ...variables, K8S_CPU_REQUEST_PERCENT: '1' },
    workspaceDir: variables.WORKSPACE_DIR,
    leftovers: async () => {
      const names = await kubectl('get', KINDS, '-n', namespace, '-l', selector, '-o', 'name');
      return names.split('\n').filter(Boolean);
    },
    // They go with their namespace.
    removeAll: async () => undefined,
  };
}
