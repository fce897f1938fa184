import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { filesWith } from './support/runtimes/runtime-secrets.js';
import { describeLocalRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';

const VALUE = 'sk-Nq4xVb82-from-the-end-to-end-test';
const FROM_FILE = 'fk-Wd91Lc07-from-a-file-of-the-test';
const ENV = { name: 'GOOGLE_API_KEY', value: 'x' };
const TIMEOUT_MS = 180_000;

const PRINTS_IT = `
import hashlib, os, sys, time
value = os.environ["GOOGLE_API_KEY"]
print("whole", value)
for piece in ("pieces ", value[:3], value[3:20], value[20:] + "\\n"):
    print(piece, end="", flush=True)
    time.sleep(0.03)
print("digest", hashlib.sha256(value.encode()).hexdigest())
print("file", hashlib.sha256(os.environ["OPENAI_API_KEY"].encode()).hexdigest())
raise ValueError(value)
`;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

await describeLocalRuntimes(({ variables }) => {
  let service: TestService;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'maps-secrets-'));
    await writeFile(join(folder, 'key'), `${FROM_FILE}\n`);
    service = await TestService.start({
      ...variables,
      JOB_SECRETS: 'GOOGLE_API_KEY,OPENAI_API_KEY,MISSING_KEY',
      GOOGLE_API_KEY: VALUE,
      OPENAI_API_KEY_FILE: join(folder, 'key'),
    });
  }, TIMEOUT_MS);

  afterAll(async () => {
    await service?.stop();
    await rm(folder, { recursive: true, force: true });
  }, TIMEOUT_MS);

  /** Everything that the API says of a job, its log as text included. */
  const everythingOf = async (id: string): Promise<string> => {
    const query = `query ($id: ID!) { job(id: $id) {
      id secrets script request message hint reason attempts { message } logs { chunks { text } } }
      service { secrets limits { maxCpus } runtime { capabilities } } environments { name } }`;
    const answer = await service.graphql(query, { id });
    const text = await (await fetch(`${service.url}/jobs/${id}/logs.txt`)).text();
    return JSON.stringify(answer) + text;
  };

  it(
    'gives a job the secrets it asks for, masks them in its log and keeps them on no disk',
    async () => {
      const id = await service.run(PRINTS_IT, { secrets: ['GOOGLE_API_KEY', 'OPENAI_API_KEY'] });
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'FAILED', reason: 'EXIT_NONZERO' });
      const lines = ['whole ***', 'pieces ***', `digest ${sha256(VALUE)}`, `file ${sha256(FROM_FILE)}`, ''];
      expect(await service.logText(id)).toBe(lines.join('\n'));
      expect(await service.logText(id, 'STDERR')).toMatch(/ValueError: \*\*\*\n$/);
      const shown = await everythingOf(id);
      expect(shown).toContain('pieces ***');
      for (const value of [VALUE, FROM_FILE]) {
        expect(shown).not.toContain(value);
        expect(await filesWith(service.dataDir, value)).toEqual([]);
      }
      // It does look at the database, where the names are.
      expect(await filesWith(service.dataDir, '"GOOGLE_API_KEY"')).not.toEqual([]);
    },
    TIMEOUT_MS,
  );

  it(
    'keeps them on no disk while the job runs, either',
    async () => {
      const script = 'import time\nprint("ready", flush=True)\ntime.sleep(600)\n';
      const id = await service.run(script, { secrets: ['GOOGLE_API_KEY'] });
      await service.waitForState(id, /RUNNING/);
      const holders = await filesWith(service.dataDir, VALUE);
      const orders = await filesWith(service.dataDir, '"secrets":["GOOGLE_API_KEY"]');
      await service.cancel(id); // before anything can fail: the job outlives the service
      expect(holders).toEqual([]);
      expect(orders).toHaveLength(1);
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'CANCELLED' });
    },
    TIMEOUT_MS,
  );

  it('shows the names: those a job may ask for, and those it asked for', async () => {
    const id = await service.run('pass', { secrets: ['OPENAI_API_KEY'] });
    const query = 'query ($id: ID!) { job(id: $id) { secrets } service { secrets } }';
    expect(await service.ask(query, { id })).toEqual({
      job: { secrets: ['OPENAI_API_KEY'] },
      service: { secrets: ['GOOGLE_API_KEY', 'OPENAI_API_KEY', 'MISSING_KEY'] },
    });
    await service.waitForEnd(id);
  });

  it(
    'fails a job whose secret has no value, once, and names it',
    async () => {
      const id = await service.run('print("ran")', { secrets: ['GOOGLE_API_KEY', 'MISSING_KEY'] });
      const job = await service.waitForEnd(id);
      expect(job).toMatchObject({ state: 'FAILED', reason: 'START_FAILED', attempt: 1 });
      expect(job.message).toContain('MISSING_KEY');
      expect(await service.logText(id)).toBe('');
    },
    TIMEOUT_MS,
  );

  it.each([
    ['a name that is not allowed', { secrets: ['GOOGLE_API_KEY', 'API_TOKEN'] }, 'input.secrets.1'],
    ['the same name twice', { secrets: ['GOOGLE_API_KEY', 'GOOGLE_API_KEY'] }, 'input.secrets.1'],
    ['a name that is in env, too', { secrets: ['GOOGLE_API_KEY'], env: [ENV] }, 'input.secrets.0'],
    ['more names than a job may have', { secrets: Array(21).fill('GOOGLE_API_KEY') }, 'input.secrets'],
  ])('refuses %s', async (_what, more, field) => {
    const query = 'mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }';
    const { errors } = await service.graphql(query, { input: { script: 'pass', ...more } });
    expect(errors?.[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field });
  });

  it('takes no list of secrets, or none in it, as before', async () => {
    for (const secrets of [null, []]) {
      const id = await service.run('import os; print("GOOGLE_API_KEY" in os.environ)', { secrets });
      await service.waitForEnd(id);
      expect(await service.logText(id)).toBe('False\n');
    }
  });
});
