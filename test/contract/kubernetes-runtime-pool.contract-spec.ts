import { kubernetesSetup } from '../support/runtime-setups.js';
import { describeWarmPool } from './warm-pool.contract.js';

describeWarmPool('kubernetes', await kubernetesSetup());
