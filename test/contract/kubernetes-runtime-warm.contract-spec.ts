import { kubernetesGaps } from '../support/runtime-kubernetes.js';
import { kubernetesSetup } from '../support/runtime-setups.js';
import { describeRuntimeContract } from './runtime-provider.contract.js';

describeRuntimeContract('kubernetes, warm', {
  ...(await kubernetesSetup()),
  isWarm: true,
  runsPython: true,
  expectedGaps: await kubernetesGaps(),
});
