import { KiB, MiB } from '../../common/bytes.js';

/** Bounds of one request, named in the API's documentation. */
export const MAX_SCRIPT_BYTES = 900 * KiB;
export const MAX_INPUT_FILES_BYTES = 2 * MiB;
export const MAX_INPUT_FILES = 100;
export const MAX_REQUEST_BYTES = 900 * KiB;
export const MAX_ENV_BYTES = 64 * KiB;
export const MAX_SECRETS = 20;
export const MAX_LABELS = 32;
export const MAX_LABEL_BYTES = 200;
export const MAX_NAME_CHARACTERS = 200;
export const MAX_RETRIES = 10;
export const MAX_PRIORITY = 1000;
export const MAX_IDEMPOTENCY_KEY_CHARACTERS = 200;
