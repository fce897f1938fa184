import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';
import { waitFor } from './support/wait-for.js';

// What is tested here does not depend on the runtime; one is enough.
await describeServiceRuntimes(
  ({ variables }) => {
    describe('the outputs of scripts that mean harm', () => {
      let service: TestService;

      beforeAll(async () => {
        service = await TestService.start(variables);
      });

      afterAll(async () => {
        await service.stop();
      });

      /** Runs a script, whose working directory is its output folder, to its end. */
      const run = async (...lines: string[]): Promise<string> => {
        const id = await service.run(['import os', ...lines].join('\n'));
        expect((await service.waitForEnd(id)).state).toBe('SUCCEEDED');
        return id;
      };
      const get = (id: string, path: string): Promise<Response> => fetch(`${service.url}/jobs/${id}/${path}`);

      it('are packed as a zip whatever their age', async () => {
        const id = await run(
          'for i, at in enumerate([-1e9, 0, 9e9, 1e10]): open(f"f{i}", "w").close(); os.utime(f"f{i}", (at, at))',
        );
        const zip = await get(id, 'outputs.zip');
        expect([zip.status, (await zip.arrayBuffer()).byteLength > 100]).toEqual([200, true]);
        expect((await get(id, 'outputs/f0')).status).toBe(200);
      });

      it('are packed as a zip whatever their names', async () => {
        const id = await run('for n in ["a\\\\b.txt", "a_b.txt", "c:d", "\\\\"]: open(n, "w").write("1")');
        const zip = await get(id, 'outputs.zip');
        const body = Buffer.from(await zip.arrayBuffer());
        expect(zip.status).toBe(200);
        for (const name of ['a_b.txt', 'a_b.txt~2', 'c_d']) expect(body.includes(name)).toBe(true);
      });

      it('are not found by a path that no file can have', async () => {
        const id = await run('open("a", "w").write("1")');
        for (const path of ['a%00b', '%00', 'a%00']) {
          const answer = await get(id, `outputs/${path}`);
          const { errors } = (await answer.json()) as { errors: { extensions: { code: string } }[] };
          expect([answer.status, errors[0]?.extensions.code]).toEqual([404, 'NOT_FOUND']);
        }
      });

      it('are closed when the download of their zip is dropped', async () => {
        const id = await run(
          'for i in range(5):',
          ' with open(str(i), "wb") as f: f.write(os.urandom(40 << 20))',
        );
        for (let i = 0; i < 10; i++) {
          const dropped = new AbortController();
          const zip = await fetch(`${service.url}/jobs/${id}/outputs.zip`, { signal: dropped.signal });
          await zip.body!.getReader().read();
          dropped.abort();
        }
        const outputs = join(service.workspaceDir, 'outputs');
        expect(existsSync(outputs)).toBe(true);
        await waitFor(() => openFilesIn(outputs) === 0, {
          describe: () => `no output open (${openFilesIn(outputs)} are)`,
        });
      });
    });
  },
  ['process'],
);

function openFilesIn(folder: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}
