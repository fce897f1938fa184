import { describe, expect, it } from '@jest/globals';
import { hostScope, isEarlierBoot, scopeText } from './host-scope.js';

describe('the scope of a host', () => {
  it('stays the same while the host runs', () => {
    expect(scopeText(hostScope())).toBe(scopeText(hostScope()));
  });

  it('knows an earlier boot from another host and from a container beside it', () => {
    const now = { host: 'a', boot: '2', pidNamespace: '1' };
    expect(isEarlierBoot('a/1/1', now)).toBe(true);
    expect(isEarlierBoot('a/2/1', now)).toBe(false);
    expect(isEarlierBoot('a/2/9', now)).toBe(false);
    expect(isEarlierBoot('b/1/1', now)).toBe(false);
  });
});
