import * as ended from '../../../src/runner/ended.js';
import * as exitCodes from '../../../src/runner/exit-codes.js';
import * as files from '../../../src/runner/files.js';
import * as frames from '../../../src/runner/frames.js';
import * as key from '../../../src/runner/key.js';
import * as order from '../../../src/runner/order.js';
import * as ready from '../../../src/runner/ready.js';
import * as secrets from '../../../src/runner/secrets.js';
import * as signature from '../../../src/runner/signature.js';
import * as variables from '../../../src/runner/variables.js';

/** What `npm run check-image` takes from the built server. */
export const RUNNER_CONTRACT = {
  ...ended,
  ...exitCodes,
  ...files,
  ...frames,
  ...key,
  ...order,
  ...ready,
  ...secrets,
  ...signature,
  ...variables,
};
