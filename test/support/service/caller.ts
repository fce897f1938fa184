import type { Principal } from '../../../src/common/principal.js';
import { DEFAULT_TENANT, SCOPES } from '../../../src/common/principal.js';

/** Who asks in tests that are not about who asks. */
export const CALLER: Principal = { name: 'test', tenant: DEFAULT_TENANT, scopes: new Set(SCOPES) };
