import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Job } from '../src/client/api-types.js';
import type { MapsEnd } from './support/service/maps-cli.js';
import { buildMaps, startMaps } from './support/service/maps-cli.js';
import { describeLocalRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';
import { waitFor } from './support/wait-for.js';

const TOKEN = 'a-token-of-the-tests';
const SECRETS = { GOOGLE_API_KEY: 'a-key-of-the-tests', OPENAI_API_KEY: 'another-key' };
const PRINTS_BOTH = "import sys\nprint('out')\nsys.stdout.flush()\nprint('err', file=sys.stderr)\n";
const SLEEPS = "import time\nprint('asleep', flush=True)\ntime.sleep(600)\n";

await describeLocalRuntimes(({ name, variables }) => {
  describe(`maps on ${name}`, () => {
    let service: TestService;
    let folder: string;

    beforeAll(async () => {
      await buildMaps();
      service = await TestService.start({
        ...variables,
        API_TOKEN: TOKEN,
        STOP_GRACE_SECONDS: '1',
        ...SECRETS,
      });
      folder = mkdtempSync(join(tmpdir(), 'maps-cli-'));
    });
    afterAll(async () => {
      // What was left running must not outlive the service that would tidy up behind it.
      for (const { id } of JSON.parse(
        (await maps('list', '--state', 'running,starting', '--json')).stdout,
      ) as Job[]) {
        await maps('cancel', id);
        await maps('logs', id, '--follow');
      }
      await service?.stop();
      if (folder) rmSync(folder, { recursive: true, force: true });
    });

    function start(args: string[], env: Record<string, string> = {}): ReturnType<typeof startMaps> {
      return startMaps(args, { MAPS_SERVER: service.url, MAPS_API_TOKEN: TOKEN, ...env });
    }
    function maps(...args: string[]): Promise<MapsEnd> {
      return start(args).end;
    }
    function script(source: string): string {
      const path = join(folder, `${createHash('sha256').update(source).digest('hex').slice(0, 12)}.py`);
      writeFileSync(path, source);
      return path;
    }

    it('keeps the streams and the exit code of a followed script', async () => {
      const { code, stdout, stderr } = await maps('run', script(`${PRINTS_BOTH}sys.exit(7)\n`), '--follow');
      expect(code).toBe(7);
      expect(stdout).toBe('out\n');
      expect(stderr).toMatch(/^maps: job \S+\nerr\nmaps: .*\(EXIT_NONZERO\)\n$/);
    });

    it.each([
      ['a signal', 'import os\nos.abort()\n', [], 134],
      ['its time limit', SLEEPS, ['--timeout', '1s'], 124],
    ])('ends with a code of its own for a script that ended by %s', async (_how, source, more, code) => {
      expect((await maps('run', script(source), '--follow', ...more)).code).toBe(code);
    });

    it('sends the request, files and variables', async () => {
      const data = join(folder, 'data.csv');
      writeFileSync(data, 'a,b\n1,2\n');
      const source = `import json, os
print(json.load(open(os.environ['REQUEST_PATH'])), os.environ['GREETING'])
print(sorted(os.path.relpath(os.path.join(d, f), os.environ['INPUT_DIR'])
  for d, _, fs in os.walk(os.environ['INPUT_DIR']) for f in fs))\n`;
      const options = [
        '--request',
        '{"a":1}',
        '--env',
        'GREETING=hi',
        '--file',
        data,
        '--file',
        `deep/x=${data}`,
      ];
      const { stdout } = await maps('run', script(source), '-f', ...options);
      expect(stdout).toBe("{'a': 1} hi\n['data.csv', 'deep/x', 'request.json']\n");
    });

    it('asks for secrets by name', async () => {
      const source = 'import os\nprint(*(len(os.environ[f"{a}_API_KEY"]) for a in ("GOOGLE", "OPENAI")))\n';
      const options = ['--secret', 'GOOGLE_API_KEY', '--secret', 'OPENAI_API_KEY'];
      expect((await maps('run', script(source), '-f', ...options)).stdout).toBe('18 11\n');
      expect(await maps('run', script(source), '-f', '--secret', 'PATH')).toMatchObject({ code: 126 });
    });

    it('prints the id of a job it does not wait for, and everything about it afterwards', async () => {
      const run = await maps('run', script(PRINTS_BOTH), '--name', 'mine', '--label', 'team=maps');
      const id = run.stdout.trim();
      expect(run).toEqual({ code: 0, stdout: `${id}\n`, stderr: '' });
      expect(await maps('logs', id, '-f')).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
      expect(await maps('logs', id)).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' });
      expect(JSON.parse((await maps('get', id, '--json')).stdout)).toMatchObject({
        id,
        state: 'SUCCEEDED',
      });
      expect((await maps('get', id)).stdout).toMatch(/^state {8}SUCCEEDED$/m);
      const list = await maps('list', '--state', 'succeeded', '--label', 'team=maps', '--json');
      expect(JSON.parse(list.stdout)).toMatchObject([{ id, name: 'mine' }]);
      expect(await maps('delete', id)).toMatchObject({ code: 0, stdout: `${id}\n` });
      expect(await maps('get', id)).toMatchObject({ code: 126, stdout: '' });
    });

    it('goes on behind a cursor', async () => {
      const id = (
        await maps('run', script("print('one', flush=True)\nimport time; time.sleep(0.1)\nprint('two')\n"))
      ).stdout.trim();
      const lines = (await maps('logs', id, '-f', '--json')).stdout.trim().split('\n');
      const chunks = lines.map(
        (line) => (JSON.parse(line) as { chunk?: { cursor: string; text: string } }).chunk,
      );
      expect(chunks.at(-1)).toBeUndefined();
      const after = await maps('logs', id, '--after', chunks[0]?.cursor ?? '');
      expect(after.stdout).toBe(
        chunks
          .slice(1)
          .map((chunk) => chunk?.text ?? '')
          .join(''),
      );
    });

    it('downloads the outputs, whole and only beneath the folder', async () => {
      const target = join(folder, 'downloads');
      const source =
        "import os\nos.makedirs('a/b')\nopen('a/b/x.txt', 'w').write('x' * 300000)\nopen('empty', 'w')\n";
      const { code, stdout } = await maps('run', script(source), '--download', target);
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
      expect(readdirSync(target, { recursive: true }).sort()).toEqual(['a', 'a/b', 'a/b/x.txt', 'empty']);
      expect(readFileSync(join(target, 'a/b/x.txt'), 'utf8')).toBe('x'.repeat(300000));

      const trap = join(folder, 'trap');
      mkdirSync(join(trap, 'elsewhere'), { recursive: true });
      symlinkSync(join(trap, 'elsewhere'), join(trap, 'a'));
      expect((await maps('run', script(source), '--download', trap)).code).toBe(126);
      expect(readdirSync(join(trap, 'elsewhere'))).toEqual([]);
    });

    it('fetches the outputs of a script that failed, and keeps its code', async () => {
      const target = join(folder, 'failed');
      const { code } = await maps(
        'run',
        script("open('partial', 'w').write('p')\nraise SystemExit(3)\n"),
        '--download',
        target,
      );
      expect(code).toBe(3);
      expect(existsSync(join(target, 'partial'))).toBe(true);
    });

    it('cancels the job at the first Ctrl-C, follows it to its end, and ends with 130', async () => {
      const { child, end } = start(['run', script(SLEEPS), '--follow']);
      child.stdout?.once('data', () => child.kill('SIGINT'));
      const { code, stderr } = await end;
      expect(code).toBe(130);
      expect(stderr).toContain('(CANCELLED_BY_USER)');
    });

    it('leaves at the second Ctrl-C', async () => {
      const stubborn = `import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n${SLEEPS}`;
      const { child, end } = start(['run', script(stubborn), '--follow']);
      let notes = '';
      child.stderr?.on('data', (data) => (notes += String(data)));
      child.stdout?.once('data', () => child.kill('SIGINT'));
      await waitFor(() => notes.includes('Cancelling'));
      child.kill('SIGINT');
      const { code, stderr } = await end;
      expect(code).toBe(130);
      expect(stderr).toContain('maps: Left.');
    });

    it('ends quietly when the reader of its output goes away', async () => {
      const { child, end } = start([
        'run',
        script("while True: print('y' * 1000)\n"),
        '-f',
        '--timeout',
        '5',
      ]);
      // Our own reading breaks off too, which is the point.
      end.catch(() => undefined);
      child.stdout?.once('data', () => child.stdout?.destroy());
      const code = await new Promise((resolve) => child.once('exit', resolve));
      expect(code).toBe(141);
    });

    it.each([
      ['no script', ['run'], 126, /missing required argument/],
      [
        'a file that is not there',
        ['run', 'nowhere.py'],
        126,
        /Cannot read nowhere\.py: there is no such file\./,
      ],
      ['a request that is not JSON', ['run', '-', '--request', '{'], 126, /--request is not JSON/],
      ['an unknown option', ['list', '--nope'], 126, /unknown option/],
      [
        'a script that the service refuses',
        ['run', '-'],
        126,
        /The script is empty\. \(BAD_USER_INPUT, input\.script\)/,
      ],
      [
        'a service that is not there',
        ['list', '--server', 'http://127.0.0.1:1000'],
        125,
        /\(CONNECTION_FAILED\)\n +Is the/,
      ],
    ])('says in a sentence what is wrong with %s', async (_what, args, code, message) => {
      const end = await maps(...args);
      expect(end).toMatchObject({ code, stdout: '' });
      expect(end.stderr).toMatch(message);
      expect(end.stderr).not.toMatch(/^ +at /m);
    });

    it('says where the token belongs when it is wrong, and takes it from a file', async () => {
      const wrong = await start(['list'], { MAPS_API_TOKEN: 'wrong' }).end;
      expect(wrong.code).toBe(126);
      expect(wrong.stderr).toContain('MAPS_API_TOKEN_FILE');
      const file = join(folder, 'token');
      writeFileSync(file, `${TOKEN}\n`);
      expect((await start(['list'], { MAPS_API_TOKEN: '', MAPS_API_TOKEN_FILE: file }).end).code).toBe(0);
    });
  });
});
