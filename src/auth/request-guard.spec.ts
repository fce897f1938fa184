import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../config/load-config.js';
import { ApiToken } from './api-token.js';
import { RequestGuard } from './request-guard.js';

function isLetIn(variables: Record<string, string>, headers: Record<string, string>): boolean {
  return new RequestGuard(loadConfig(variables).http).faultOf({ headers }) === undefined;
}

describe('the guard of requests', () => {
  it('serves only loopback names while there is no token', () => {
    for (const host of ['localhost:8000', '127.0.0.1:8000', '[::1]:8000', 'LOCALHOST'])
      expect(isLetIn({}, { host })).toBe(true);
    for (const host of ['evil.example', 'localhost.evil.example', '', '127.0.0.1.nip.io:8000'])
      expect(isLetIn({}, { host })).toBe(false);
  });

  it('serves any name with a token, and only listed ones where they are listed', () => {
    expect(isLetIn({ API_TOKEN: 'x'.repeat(20) }, { host: 'maps.example' })).toBe(true);
    const listed = { API_TOKEN: 'x'.repeat(20), ALLOWED_HOSTS: 'maps.example' };
    expect([isLetIn(listed, { host: 'maps.example:443' }), isLetIn(listed, { host: 'other' })]).toEqual([
      true,
      false,
    ]);
  });

  it('lets pages of its own and of listed origins in, no others', () => {
    const host = 'localhost:8000';
    expect(isLetIn({}, { host, origin: 'http://localhost:8000' })).toBe(true);
    for (const origin of [
      'http://localhost:9000',
      'https://evil.example',
      'null',
      'http://localhost:8000.evil.example',
    ]) {
      expect(isLetIn({}, { host, origin })).toBe(false);
    }
    expect(
      isLetIn({ ALLOWED_ORIGINS: 'https://maps.example/' }, { host, origin: 'https://maps.example' }),
    ).toBe(true);
  });
});

describe('the API token', () => {
  const token = new ApiToken(loadConfig({ API_TOKEN: 'abcdefghijklmnop' }).http);

  it('accepts itself only', () => {
    expect(token.principalOf('Bearer abcdefghijklmnop')).toMatchObject({ name: 'admin', tenant: 'default' });
    for (const wrong of [
      undefined,
      '',
      'abcdefghijklmnop',
      'Bearer',
      'Bearer abcdefghijklmno',
      'Basic abcdefghijklmnop',
      7,
    ]) {
      expect(token.principalOf(wrong)).toBeUndefined();
    }
  });

  it('is not asked for where there is none, or by choice', () => {
    expect(new ApiToken(loadConfig({}).http).principalOf(undefined)).toBeDefined();
    expect(
      new ApiToken(loadConfig({ API_TOKEN: 'abcdefghijklmnop', AUTH_MODE: 'none' }).http).principalOf(
        undefined,
      ),
    ).toBeDefined();
  });
});
