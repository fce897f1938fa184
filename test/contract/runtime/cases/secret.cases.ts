import { expect } from '@jest/globals';
import { createHash } from 'node:crypto';
import { WorkloadStartError } from '../../../../src/runtime/runtime.errors.js';
import type { RuntimeBench, Workload } from '../../../support/runtimes/runtime-bench.js';
import { MISSING_SECRET, SECRET_VALUES, filesWith } from '../../../support/runtimes/runtime-secrets.js';
import { runtimeCases } from './runtime-case.js';

const API_KEY = SECRET_VALUES.get('API_KEY')!;
const PEM_KEY = SECRET_VALUES.get('PEM_KEY')!;

/** A digest shows that the value arrived, and is no occurrence of it. */
const SHOWS_DIGESTS = `
import hashlib, os
for name in os.environ["NAMES"].split(","):
    value = os.environ.get(name)
    print(name, value and hashlib.sha256(value.encode()).hexdigest())
print("ready", flush=True)
`;
const RUNS_ON = `${SHOWS_DIGESTS}\nimport time\nwhile True: time.sleep(60)\n`;
const PRINTS_IT = `
import os, sys, time
value = os.environ["API_KEY"]
print(value, file=sys.stderr)
for stream in (sys.stdout, sys.stderr):
    for piece in ("<", value[:1], value[1:7], value[7:], ">", os.environ["PEM_KEY"][:5000]):
        print(piece, end="", file=stream, flush=True)
        time.sleep(0.02)
    print(os.environ["PEM_KEY"][5000:], file=stream)
`;

function digests(...names: string[]): string {
  const lines = names.map((name) => {
    const value = SECRET_VALUES.get(name);
    return `${name} ${value === undefined ? 'None' : createHash('sha256').update(value).digest('hex')}\n`;
  });
  return `${lines.join('')}ready\n`;
}

/** The values of secrets: they reach the script, and nobody else. */
export const SECRET_CASES = runtimeCases([
  {
    id: 'secret-arrives',
    title: 'a script finds the secrets its job asked for in its environment, and no others',
    needs: ['python'],
    run: async (bench) => {
      const env = { NAMES: 'API_KEY,PEM_KEY,OTHER_KEY,RUNNER_SECRETS_FROM' };
      const run = { script: SHOWS_DIGESTS, env, secrets: ['API_KEY', 'PEM_KEY'] };
      const { exit, spool } = await bench.run(run);
      expect(spool.stdout).toBe(
        digests('API_KEY', 'PEM_KEY').replace('ready', 'OTHER_KEY None\nRUNNER_SECRETS_FROM None\nready'),
      );
      expect(exit).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      const without = await bench.run({ script: SHOWS_DIGESTS, env: { NAMES: 'API_KEY' } });
      expect(without.spool.stdout).toBe('API_KEY None\nready\n');
    },
  },
  {
    id: 'secret-new-interpreter',
    title: 'a script that is executed anew for its variables finds its secrets, too',
    needs: ['python'],
    run: async (bench) => {
      const env = { NAMES: 'API_KEY', PYTHONHASHSEED: '1' };
      const { spool } = await bench.run({ script: SHOWS_DIGESTS, env, secrets: ['API_KEY'] });
      expect(spool.stdout).toBe(digests('API_KEY'));
    },
  },
  {
    id: 'secret-masked',
    title: 'a secret that a script prints is masked in its log, in one piece or in many',
    needs: ['python'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: PRINTS_IT, secrets: ['API_KEY', 'PEM_KEY'] });
      expect(spool.stdout).toBe('<***>***\n');
      expect(spool.stderr).toBe('***\n<***>***\n');
    },
  },
  {
    id: 'secret-undescribed',
    title: 'an engine that is asked about a workload shows no value of its secrets',
    needs: ['python', 'hook:describe'],
    run: async (bench) => {
      const workload = await startWithSecrets(bench);
      const description = await workload.description();
      expect(description.length).toBeGreaterThan(100);
      for (const text of [API_KEY, PEM_KEY.slice(0, 500)]) {
        // As it is, and as JSON has it.
        expect(description).not.toContain(text);
        expect(description).not.toContain(JSON.stringify(text).slice(1, -1));
      }
    },
  },
  {
    id: 'secret-on-no-disk',
    title: 'no file of the server or of a workload holds the value of a secret, while it runs or afterwards',
    needs: ['python'],
    run: async (bench) => {
      const workload = await startWithSecrets(bench);
      expect(await filesWith(bench.dataDir, API_KEY)).toEqual([]);
      await bench.provider.stop(workload.handle, 1);
      await workload.exit();
      expect(await filesWith(bench.dataDir, API_KEY)).toEqual([]);
      expect(await filesWith(bench.dataDir, 'API_KEY')).not.toEqual([]); // the order's names: it does look at files
    },
  },
  {
    id: 'secret-missing',
    title: 'a workload whose secret has no value does not run, for a reason that names it',
    needs: ['python'],
    run: async (bench) => {
      const workload = await bench.prepare({ script: SHOWS_DIGESTS, secrets: ['API_KEY', MISSING_SECRET] });
      const failure = await startFailureOf(workload);
      expect(failure).toMatchObject({ retryable: false });
      expect(failure!.message).toContain(MISSING_SECRET);
      expect(JSON.stringify(failure)).not.toContain(API_KEY);
      expect((await workload.spool()).started).toBe(false);
    },
  },
  {
    id: 'secret-made',
    title: 'a workload that was made and not started gets its secrets when it is started',
    needs: ['python', 'hook:makeWithoutStart'],
    run: async (bench) => {
      const run = { script: SHOWS_DIGESTS, env: { NAMES: 'API_KEY' }, secrets: ['API_KEY'] };
      const workload = await bench.prepare(run);
      await workload.makeWithoutStart();
      await workload.start();
      await workload.exit();
      expect((await workload.spool()).stdout).toBe(digests('API_KEY'));
    },
  },
  {
    id: 'secret-started-often',
    title: 'a workload with secrets that several servers start at once runs once, with its secrets',
    needs: ['python', 'outlivesServer'],
    run: async (bench) => {
      const run = { script: SHOWS_DIGESTS, env: { NAMES: 'API_KEY' }, secrets: ['API_KEY'] };
      const workload = await bench.prepare(run);
      const providers = [bench.provider, await bench.another(), await bench.another()];
      await Promise.all(providers.map((provider) => provider.start(workload.spec)));
      await workload.start();
      expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      expect((await workload.spool()).stdout).toBe(digests('API_KEY'));
    },
  },
]);

async function startWithSecrets(bench: RuntimeBench): Promise<Workload> {
  const run = { script: RUNS_ON, env: { NAMES: 'API_KEY,PEM_KEY' }, secrets: ['API_KEY', 'PEM_KEY'] };
  const workload = await bench.start(run);
  await workload.printed('ready');
  expect((await workload.spool()).stdout).toBe(digests('API_KEY', 'PEM_KEY'));
  return workload;
}

/** From `start` where the values are the server's, from `wait` where they are the cluster's. */
async function startFailureOf(workload: Workload): Promise<WorkloadStartError['failure'] | undefined> {
  try {
    await workload.start();
  } catch (error) {
    if (error instanceof WorkloadStartError) return error.failure;
    throw error;
  }
  const exit = await workload.exit();
  return exit.kind === 'startFailed' ? exit.failure : undefined;
}
