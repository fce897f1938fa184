import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

const RUNTIMES = ['process', 'docker', 'kubernetes'];
const DATABASES = ['sqlite', 'postgres'];
const ISOLATIONS = ['bubblewrap', 'none'];

export const USAGE = `npm run chaos -- --runtime ${RUNTIMES.join('|')} --kills N [--seed S] [--replicas R] [--database ${DATABASES.join('|')}] [--warm] [--isolation ${ISOLATIONS.join('|')}] [--previous FOLDER]

  --kills N       how often a server is killed; other faults come on top
  --seed S        repeats the schedule of faults and jobs of an earlier run, which printed it
  --replicas R    servers at the same time, 1 to 4; more than one needs PostgreSQL
  --database D    sqlite is the default on one machine, postgres on kubernetes
  --isolation I   of the runtime process; bubblewrap is the default
  --previous FOLDER
                  a built checkout of an earlier release, which each server runs until it is killed for the first time;
                  its jobs are taken over by this one, and kills come at random only
  --warm          a pool of warm workers, to which most jobs go
  --history FILE  everything that was seen, as lines of JSON
  --quiet         nothing but the report

  TEST_DATABASE_URL  a PostgreSQL server on which a database may be made and dropped
  PREVIOUS_RUNNER_IMAGE
                     the image of jobs that the earlier release runs; py-exec:slim unless set
  KUBECONFIG         a cluster of this machine, with the image py-exec:slim and hostPath volumes`;

/** A sentence for whoever called the command wrongly. */
export class UsageError extends Error {}

/**
 * @typedef {{ runtime: 'process' | 'docker' | 'kubernetes', kills: number, seed: string, replicas: number,
 *   database: 'sqlite' | 'postgres', databaseUrl?: string, isolation: 'bubblewrap' | 'none', history?: string, isWarm: boolean, quiet: boolean,
 *   previous?: string, previousImage?: string }} Options
 */

/** @returns {Options} */
export function readOptions(args, env = process.env) {
  const { values } = parse(args);
  const runtime = oneOf('runtime', values.runtime ?? 'process', RUNTIMES);
  const database = oneOf(
    'database',
    values.database ?? (runtime === 'kubernetes' ? 'postgres' : 'sqlite'),
    DATABASES,
  );
  const replicas = whole('replicas', values.replicas ?? (runtime === 'kubernetes' ? '2' : '1'), 1, 4);
  if (replicas > 1 && database === 'sqlite')
    throw new UsageError('Several replicas need --database postgres.');
  if (database === 'postgres' && !env.TEST_DATABASE_URL)
    throw new UsageError('TEST_DATABASE_URL names no PostgreSQL server on which a database may be made.');
  if (runtime === 'kubernetes' && !env.KUBECONFIG)
    throw new UsageError('KUBECONFIG names no cluster to test on.');
  return {
    runtime,
    database,
    replicas,
    kills: whole('kills', values.kills ?? '20', 0, 10_000),
    seed: values.seed ?? String(randomInt(1e9)),
    databaseUrl: env.TEST_DATABASE_URL,
    isolation: oneOf('isolation', values.isolation ?? 'bubblewrap', ISOLATIONS),
    history: values.history,
    previous: values.previous,
    previousImage: env.PREVIOUS_RUNNER_IMAGE,
    isWarm: values.warm ?? false,
    quiet: values.quiet ?? false,
  };
}

function parse(args) {
  try {
    const text = { type: 'string' };
    const names = ['runtime', 'kills', 'seed', 'replicas', 'database', 'isolation', 'history', 'previous'];
    const named = Object.fromEntries(names.map((name) => [name, text]));
    return parseArgs({ args, options: { ...named, warm: { type: 'boolean' }, quiet: { type: 'boolean' } } });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw new UsageError(`--${name} is one of ${allowed.join(', ')}.`);
  return value;
}

function whole(name, text, min, max) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new UsageError(`--${name} is a whole number from ${min} to ${max}.`);
  return value;
}
