import { describe, expect, it } from '@jest/globals';
import { configParts } from '../config/app-config.js';
import { ConfigError, loadConfig } from '../config/load-config.js';
import { variablesOf } from '../config/variable.decorator.js';
import { RUNTIMES } from './runtimes.js';

function faultsOf(variables: Record<string, string>): readonly string[] {
  try {
    loadConfig(variables, RUNTIMES);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe('the configuration of a service with its runtimes', () => {
  it('has a part for each of them, with a default for everything', () => {
    const { runtimes } = loadConfig({}, RUNTIMES);
    expect(Object.keys(runtimes)).toEqual(['kubernetes', 'docker', 'process']);
    expect(runtimes).toMatchObject({ process: { PROCESS_ISOLATION: 'bubblewrap' } });
  });

  it('takes the name of each, or auto, and names them where it gets another', () => {
    for (const { name } of RUNTIMES) expect(faultsOf({ EXECUTION_RUNTIME: name })).toEqual([]);
    expect(faultsOf({ EXECUTION_RUNTIME: 'podman' })).toEqual([
      'EXECUTION_RUNTIME must be one of the following values: auto, kubernetes, docker, process',
    ]);
  });

  it('names faults of all its parts at once', () => {
    const faults = faultsOf({ PORT: 'eight', PROCESS_ISOLATION: 'chroot', K8S_NAMESPACE: 'A B' });
    const named = new Set(faults.map((fault) => fault.split(' ')[0]));
    expect([...named]).toEqual(['PORT', 'K8S_NAMESPACE', 'PROCESS_ISOLATION']);
  });

  it.each(['KUBERNETES_SERVICE_HOST', 'DOCKER_HOST', 'PROCESS_PYTHON_FILE'])(
    'refuses to give jobs %s as a secret',
    (name) => {
      expect(faultsOf({ JOB_SECRETS: `KEY,${name}` })).toEqual([
        `JOB_SECRETS must not name ${name}, which is the server's own`,
      ]);
    },
  );

  it('refuses in production what is only fit for development', () => {
    const variables = { EXECUTION_RUNTIME: 'process', PROCESS_ISOLATION: 'none' };
    expect(faultsOf({ NODE_ENV: 'production', ...variables })).toEqual([
      'PROCESS_ISOLATION=none is not allowed with NODE_ENV=production',
    ]);
    expect(faultsOf(variables)).toEqual([]);
  });

  it('documents each variable once, in one sentence', () => {
    const docs = configParts(RUNTIMES).flatMap(variablesOf);
    for (const { name, description } of docs)
      expect([name, description]).toEqual([name, expect.stringMatching(/\.$/)]);
    expect(new Set(docs.map(({ name }) => name)).size).toBe(docs.length);
  });
});
