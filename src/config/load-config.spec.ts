import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { ConfigError, loadConfig } from './load-config.js';

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
      http: { PORT: 8000, HOST: '127.0.0.1' },
      execution: { EXECUTION_RUNTIME: 'auto' },
      limits: { MAX_LOG_BYTES: 67108864 },
    });
    expect([...config.environments.all]).toEqual([['default', 'py-exec:latest']]);
  });

  it('counts an empty variable as unset', () => {
    expect(loadConfig({ PORT: '', HOST: '' }).http).toMatchObject({ PORT: 8000, HOST: '127.0.0.1' });
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
    expect(loadConfig({ ALLOW_INTERNET: 'false' }).limits.ALLOW_INTERNET).toBe(false);
  });

  it('reads the bounds of the pools, and what their workers import', () => {
    const RUNNER_ENVIRONMENTS = 'geo=py-geo:1,bare=py-bare:1';
    const WARM_POOL = 'default=2..8, geo=3,bare=0..1';
    const WARM_PRELOAD = 'geo=geopandas+matplotlib.pyplot,bare=';
    expect(loadConfig({ RUNNER_ENVIRONMENTS, WARM_POOL, WARM_PRELOAD }).pool.pools).toEqual([
      { environment: 'default', min: 2, max: 8, preload: undefined },
      { environment: 'geo', min: 3, max: 3, preload: ['geopandas', 'matplotlib.pyplot'] },
      { environment: 'bare', min: 0, max: 1, preload: [] },
    ]);
    expect(loadConfig({}).pool.pools).toEqual([]);
  });

  it.each([
    [{ WARM_POOL: 'default=x' }, 'WARM_POOL each entry'],
    [{ WARM_POOL: 'geo=1' }, 'WARM_POOL must name default or'],
    [{ WARM_POOL: 'default=1,default=2' }, 'WARM_POOL must name each environment once'],
    [{ WARM_POOL: 'default=5..2' }, 'WARM_POOL must not have a min above its max'],
    [{ WARM_PRELOAD: 'default=os;system' }, 'WARM_PRELOAD each entry'],
    [{ WARM_PRELOAD: 'geo=os' }, 'WARM_PRELOAD must name default or'],
  ])('names the fault in %j', (variables, fault) => {
    expect(faultsOf(variables)).toEqual([expect.stringContaining(fault)]);
  });

  it('reads lists and maps', () => {
    const config = loadConfig({
      RUNNER_ENVIRONMENTS: 'geo=py-geo:1, ml=registry:5000/ml@sha256:ab',
      ALLOWED_ORIGINS: 'https://a.example',
    });
    expect(config.environments.all.get('ml')).toBe('registry:5000/ml@sha256:ab');
    expect(config.http.ALLOWED_ORIGINS).toEqual(['https://a.example']);
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
    expect(loadConfig({ API_TOKEN_FILE: path }).http.API_TOKEN).toBe('abcdefghijklmnopqrst');
    expect(faultsOf({ API_TOKEN_FILE: '/nowhere/token' })).toEqual([
      'API_TOKEN_FILE cannot be read (ENOENT)',
    ]);
  });

  it('takes the values of secrets from variables and files, and counts an empty one as unset', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'maps-config-')), 'key');
    writeFileSync(path, 'from a file\n');
    const { secrets } = loadConfig({ GOOGLE_API_KEY: 'value', OPENAI_API_KEY_FILE: path });
    expect(secrets.JOB_SECRETS).toEqual(['GOOGLE_API_KEY', 'OPENAI_API_KEY']);
    expect(secrets.values.get('GOOGLE_API_KEY')).toBe('value');
    expect(secrets.values.get('OPENAI_API_KEY')).toBe('from a file');
    expect(loadConfig({ GOOGLE_API_KEY: '' }).secrets.values.get('GOOGLE_API_KEY')).toBeUndefined();
    expect(loadConfig({ OTHER: 'x' }).secrets.values.get('OTHER')).toBeUndefined();
    expect(faultsOf({ GOOGLE_API_KEY_FILE: '/nowhere' })).toEqual([
      'GOOGLE_API_KEY_FILE cannot be read (ENOENT)',
    ]);
  });

  it('shows no value of a secret, however it is printed', () => {
    const config = loadConfig({ JOB_SECRETS: 'KEY', KEY: 'the-value' });
    expect(config.secrets.values.get('KEY')).toBe('the-value');
    const printed = [JSON.stringify(config), inspect(config, { depth: null, showHidden: true })];
    expect(printed.join()).not.toContain('the-value');
    expect(faultsOf({ JOB_SECRETS: 'KEY', KEY: 'the-value\0' }).join()).toBe(
      'KEY must not hold a NUL character',
    );
  });

  it.each(['API_TOKEN', 'API_TOKEN_FILE', 'DATABASE_URL', 'EXECUTION_RUNTIME', 'PATH', 'RUNNER_SPOOL_DIR'])(
    'refuses to give jobs %s as a secret',
    (name) => {
      expect(faultsOf({ JOB_SECRETS: `KEY,${name}` })).toEqual([
        expect.stringMatching(new RegExp(`^JOB_SECRETS must not name ${name}, `)),
      ]);
    },
  );

  it.each(['A-B', '1A', 'A B', 'KEY,KEY'])('refuses the list of secrets %s', (list) => {
    expect(faultsOf({ JOB_SECRETS: list })).toHaveLength(1);
  });

  it('does not start with the placeholder of a manifest as its token', () => {
    for (const API_TOKEN of ['REPLACE_ME', 'REPLACE_ME_WITH_A_RANDOM_WORD', 'change-me-please-now-1234']) {
      const faults = faultsOf({ HOST: '0.0.0.0', API_TOKEN });
      expect(faults).toContainEqual(expect.stringMatching(/^API_TOKEN is still a placeholder: set a random/));
      expect(faults.join()).not.toContain(API_TOKEN);
    }
  });
});
