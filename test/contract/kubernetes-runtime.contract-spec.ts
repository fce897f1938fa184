import { kubernetesGaps } from '../support/runtime-kubernetes.js';
import { kubernetesSetup } from '../support/runtime-setups.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

describeRuntimeContract('kubernetes', {
  ...(await kubernetesSetup()),
  runsPython: true,
  expectedGaps: await kubernetesGaps(),
});
