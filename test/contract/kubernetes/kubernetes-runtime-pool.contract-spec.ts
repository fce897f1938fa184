import { kubernetesSetup } from '../../support/runtimes/runtime-setups.js';
import { describeWarmPool } from '../runtime/warm-pool.contract.js';

describeWarmPool('kubernetes', await kubernetesSetup());
