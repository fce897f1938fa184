import { describe, expect, it } from '@jest/globals';
import type { Principal } from './principal.js';
import { ForbiddenError, SYSTEM, requireScope } from './principal.js';

describe('a principal', () => {
  it('may do what its scopes name, and nothing else', () => {
    const reader: Principal = { name: 'reader', tenant: 'default', scopes: new Set(['jobs:read']) };
    expect(() => requireScope(reader, 'jobs:read')).not.toThrow();
    expect(() => requireScope(reader, 'jobs:write')).toThrow(ForbiddenError);
    expect(() => requireScope(reader, 'service:admin')).toThrow(/service:admin/);
  });

  it('of the service acts for everybody', () => {
    for (const principal of Object.values(SYSTEM)) {
      expect(principal.tenant).toBeUndefined();
      expect(() => requireScope(principal, 'jobs:write')).not.toThrow();
    }
  });
});
