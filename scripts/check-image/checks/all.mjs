import { CONTAINER_CHECKS } from './container.mjs';
import { LIMIT_CHECKS } from './limits.mjs';
import { LOG_CHECKS } from './log.mjs';
import { ORDER_CHECKS } from './order.mjs';
import { SCRIPT_CHECKS } from './script.mjs';
import { SECRET_CHECKS } from './secrets.mjs';
import { SIGNATURE_CHECKS } from './signature.mjs';
import { STOP_CHECKS } from './stop.mjs';
import { WORKER_CHECKS } from './worker.mjs';

/** What any runner must do, in a container or not. */
export const CHECKS = [
  ...ORDER_CHECKS,
  ...SCRIPT_CHECKS,
  ...LOG_CHECKS,
  ...SECRET_CHECKS,
  ...STOP_CHECKS,
  ...LIMIT_CHECKS,
  ...SIGNATURE_CHECKS,
  ...WORKER_CHECKS,
];

export { CONTAINER_CHECKS };
