import { kubernetesGaps } from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { kubernetesSetup } from '../../support/runtimes/runtime-setups.js';
import { describeRuntimeContract } from '../runtime/runtime-provider.contract.js';

describeRuntimeContract('kubernetes', {
  ...(await kubernetesSetup()),
  runsPython: true,
  expectedGaps: await kubernetesGaps(),
});
