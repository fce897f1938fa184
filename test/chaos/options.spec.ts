import { describe, expect, it } from '@jest/globals';
import { readOptions } from './options.mjs';

const ENV = { TEST_DATABASE_URL: 'postgres://x', KUBECONFIG: '/x' };

describe('the options of a chaos run', () => {
  it('have a seed that is told, or one that is made', () => {
    expect(readOptions(['--seed', 'abc'], ENV).seed).toBe('abc');
    expect(readOptions([], ENV).seed).toMatch(/^\d+$/);
  });

  it('take two servers on PostgreSQL for kubernetes', () => {
    expect(readOptions(['--runtime', 'kubernetes'], ENV)).toMatchObject({
      replicas: 2,
      database: 'postgres',
    });
  });

  it.each([
    [['--runtime', 'podman'], ENV, '--runtime is one of'],
    [['--kills', 'many'], ENV, '--kills is a whole number'],
    [['--kills', '-1'], ENV, ''],
    [['--replicas', '2'], ENV, 'need --database postgres'],
    [['--database', 'postgres'], {}, 'TEST_DATABASE_URL'],
    [['--runtime', 'kubernetes', '--database', 'sqlite', '--replicas', '1'], {}, 'KUBECONFIG'],
    [['--isolation', 'some'], ENV, '--isolation is one of'],
    [['--kilks', '1'], ENV, 'kilks'],
  ])('%j are refused with a sentence', (args, env, words) => {
    expect(() => readOptions(args, env)).toThrow(words);
  });
});
