import { dockerSetup } from '../support/runtime-setups.js';
import { describeWarmPool } from './warm-pool.contract.js';

describeWarmPool('docker', await dockerSetup());
