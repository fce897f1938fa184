import { processSetup } from '../support/runtime-setups.js';
import { describeWarmPool } from './warm-pool.contract.js';

describeWarmPool('process (bubblewrap)', await processSetup());
