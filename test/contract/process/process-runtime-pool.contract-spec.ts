import { processSetup } from '../../support/runtimes/runtime-setups.js';
import { describeWarmPool } from '../runtime/warm-pool.contract.js';

describeWarmPool('process (bubblewrap)', await processSetup());
