import { dockerSetup } from '../../support/runtimes/runtime-setups.js';
import { describeWarmPool } from '../runtime/warm-pool.contract.js';

describeWarmPool('docker', await dockerSetup());
