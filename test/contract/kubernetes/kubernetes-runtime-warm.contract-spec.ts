import { kubernetesGaps } from '../../support/runtimes/kubernetes/runtime-kubernetes.js';
import { kubernetesSetup } from '../../support/runtimes/runtime-setups.js';
import { describeRuntimeContract } from '../runtime/runtime-provider.contract.js';

describeRuntimeContract('kubernetes, warm', {
  ...(await kubernetesSetup()),
  isWarm: true,
  runsPython: true,
  expectedGaps: await kubernetesGaps(),
});
