import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from './load-config.js';
import { variableDocs } from './variable.decorator.js';

function faultsOf(variables: Record<string, string>): readonly string[] {
  try {
    loadConfig(variables);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('the configuration', () => {
  it('has a default for everything', () => {
    const config = loadConfig({});
    expect(config).toMatchObject({
      PORT: 8000,
      HOST: '127.0.0.1',
      EXECUTION_RUNTIME: 'auto',
      MAX_LOG_BYTES: 67108864,
    });
    expect([...config.environments]).toEqual([['default', 'py-exec:latest']]);
  });

  it('counts an empty variable as unset', () => {
    expect(loadConfig({ PORT: '', HOST: '' })).toMatchObject({ PORT: 8000, HOST: '127.0.0.1' });
  });

  it('names every fault at once, and no value', () => {
    const faults = faultsOf({
      PORT: 'eight',
      EXECUTION_RUNTIME: 'podman',
      MAX_LOG_BYTES: '1',
      API_TOKEN: 'secret',
      ALLOW_INTERNET: 'maybe',
    });
    for (const name of ['PORT', 'EXECUTION_RUNTIME', 'MAX_LOG_BYTES', 'API_TOKEN', 'ALLOW_INTERNET']) {
      expect(faults.filter((fault) => fault.startsWith(name)).length).toBeGreaterThan(0);
    }
    expect(faults.join()).not.toMatch(/eight|podman|secret|maybe/);
  });

  it('reads "false" as false', () => {
    expect(loadConfig({ ALLOW_INTERNET: 'false' }).ALLOW_INTERNET).toBe(false);
  });

  it('reads lists and maps', () => {
    const config = loadConfig({
      RUNNER_ENVIRONMENTS: 'geo=py-geo:1, ml=registry:5000/ml@sha256:ab',
      ALLOWED_ORIGINS: 'https://a.example',
    });
    expect(config.environments.get('ml')).toBe('registry:5000/ml@sha256:ab');
    expect(config.ALLOWED_ORIGINS).toEqual(['https://a.example']);
    expect(faultsOf({ RUNNER_ENVIRONMENTS: 'Geo' })).toHaveLength(1);
  });

  it('asks for a token as soon as others can reach the server', () => {
    expect(faultsOf({ HOST: '0.0.0.0' })).toEqual([expect.stringMatching(/^API_TOKEN is required/)]);
    expect(faultsOf({ HOST: '0.0.0.0', AUTH_MODE: 'none' })).toEqual([]);
    expect(faultsOf({ HOST: '0.0.0.0', API_TOKEN: 'x'.repeat(16) })).toEqual([]);
    expect(faultsOf({ HOST: '::1' })).toEqual([]);
  });

  it('takes a secret from a file, and says when it cannot', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'maps-config-')), 'token');
    writeFileSync(path, 'abcdefghijklmnopqrst\n');
    expect(loadConfig({ API_TOKEN_FILE: path }).API_TOKEN).toBe('abcdefghijklmnopqrst');
    expect(faultsOf({ API_TOKEN_FILE: '/nowhere/token' })).toEqual([
      'API_TOKEN_FILE cannot be read (ENOENT)',
    ]);
  });

  it('does not start with the placeholder of a manifest as its token', () => {
    for (const API_TOKEN of ['REPLACE_ME', 'REPLACE_ME_WITH_A_RANDOM_WORD', 'change-me-please-now-1234']) {
      const faults = faultsOf({ HOST: '0.0.0.0', API_TOKEN });
      expect(faults).toContainEqual(expect.stringMatching(/^API_TOKEN is still a placeholder: set a random/));
      expect(faults.join()).not.toContain(API_TOKEN);
    }
  });

  it('refuses in production what is only fit for development', () => {
    expect(
      faultsOf({ NODE_ENV: 'production', EXECUTION_RUNTIME: 'process', PROCESS_ISOLATION: 'none' }),
    ).toHaveLength(1);
  });

  it('documents each variable in one sentence', () => {
    for (const { name, description } of variableDocs())
      expect([name, description]).toEqual([name, expect.stringMatching(/\.$/)]);
  });
});
