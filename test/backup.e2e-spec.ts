import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { copyFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { newId } from '../src/common/ids.js';
import { DatabaseBackup } from '../src/database/database-backup.js';
import { Database } from '../src/database/database.js';
import { SqliteConnection } from '../src/database/sqlite/sqlite-connection.js';
import { makeDataFolder } from './support/service/data-folder.js';
import { buildMaps, maps } from './support/service/maps-cli.js';
import type { MapsEnd } from './support/service/maps-cli.js';
import { describeTier } from './support/runtimes/runtime-tier.js';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { TestService } from './support/service/service.js';
import { TestDatabase, whyNoPostgres } from './support/database/test-database.js';
import { waitFor } from './support/wait-for.js';

const TOKEN = 'a-token-of-this-test-only';

await describeServiceRuntimes(
  ({ variables }) => {
    describe('maps backup', () => {
      let folder: string;
      let target: string;
      let service: TestService;

      beforeAll(buildMaps);

      beforeEach(async () => {
        folder = await makeDataFolder('maps-backup-');
        target = join(folder, 'copy.sqlite');
        service = await TestService.start(variables, join(folder, 'data'));
      });

      afterEach(async () => {
        await service.stop();
        await rm(folder, { recursive: true, force: true });
      });

      const backup = (...options: string[]): Promise<MapsEnd> =>
        maps(['backup', target, ...options], { MAPS_SERVER: service.url, MAPS_API_TOKEN: TOKEN });

      /** Of the server's own folder, where copies are made. */
      const unfinished = (): string[] =>
        readdirSync(service.dataDir).filter((name) => name.includes('-backup-'));

      it('makes a copy that a server starts with: the jobs are there, and so are their files', async () => {
        const done = await service.run('open("a.txt", "w").write("kept")', { name: 'first' });
        await service.waitForEnd(done);
        const end = await backup();
        expect(end).toMatchObject({ code: 0, stderr: '' });
        expect(end.stdout).toBe(
          `${target}: 1 jobs, ${statSync(target).size} bytes (${(statSync(target).size / 1000).toFixed(1)} kB), checked\n`,
        );
        expect(statSync(target).mode & 0o777).toBe(0o600);
        const later = await service.run('print(2)');
        await service.waitForEnd(later);
        await service.stop({ keepData: true });
        await copyFile(target, join(service.dataDir, 'maps.sqlite'));
        await rm(join(service.dataDir, 'maps.sqlite-wal'), { force: true });
        service = await TestService.start(variables, join(folder, 'data'));
        expect((await service.job(done)).outputs.map(({ path }) => path)).toEqual(['a.txt']);
        expect(await (await fetch(`${service.url}/jobs/${done}/outputs/a.txt`)).text()).toBe('kept');
        expect((await service.graphql(`{ job(id: "${later}") { id } }`)).errors?.[0]?.extensions.code).toBe(
          'NOT_FOUND',
        );
        expect((await service.waitForEnd(await service.run('print(3)'))).state).toBe('SUCCEEDED');
      });

      it('never writes over a file unless told to, and leaves none behind that is not whole', async () => {
        writeFileSync(target, 'mine');
        expect(await backup()).toMatchObject({ code: 126, stderr: expect.stringContaining('--force') });
        expect(readFileSync(target, 'utf8')).toBe('mine');
        expect(await backup('--force')).toMatchObject({ code: 0 });
        expect(new SqliteConnection(target, true).pragma('journal_mode')).toBe('delete');
        target = join(folder, 'none', 'copy.sqlite');
        expect((await backup()).stderr).toMatch(/ENOENT/);
      });

      it('refuses what is not a whole database, and keeps nothing of it', async () => {
        const answers = [
          { body: 'not a database', announced: 14 },
          { body: 'SQLite format 3\0 and no more', announced: 4096 },
        ];
        for (const { body, announced } of answers) {
          const server = createServer((_, response) => {
            response.writeHead(200, { 'content-length': announced });
            response.write(body, () => announced > body.length && response.destroy());
            if (announced === body.length) response.end();
          });
          await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
          const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
          const end = await maps(['backup', target], { MAPS_SERVER: url });
          server.close();
          expect(end).toMatchObject({
            code: 125,
            stderr: expect.stringMatching(/not a whole database|broke off/),
          });
          expect(readdirSync(folder)).toEqual(['data']);
        }
      });

      it('holds nobody up, and has what was stored before it was asked for', async () => {
        await grow(service, 60_000);
        const before = await service.run('print("before")');
        // What a timer gets to see of the copy shows how often the server had its turn while it was made.
        const seenBytes = new Set<number>();
        const turns = setInterval(() => {
          for (const name of unfinished()) seenBytes.add(statSync(join(service.dataDir, name)).size);
        }, 1);
        let isMade = false;
        const made = backup().finally(() => (isMade = true));
        const stored: string[] = [];
        while (!isMade) {
          if (stored.length < 30) stored.push(await service.run('print("meanwhile")'));
          await service.job(before);
        }
        clearInterval(turns);
        expect(await made).toMatchObject({ code: 0 });
        expect([stored.length > 3, unfinished()]).toEqual([true, []]);
        expect(seenBytes.size).toBeGreaterThan(5);
        const copy = new SqliteConnection(target, true);
        expect(copy.pragma('integrity_check')).toBe('ok');
        expect(copy.prepare('select id from jobs where id = ?').all([before])).toHaveLength(1);
        copy.close();
        for (const id of stored) await service.waitForEnd(id);
      });

      it('leaves nothing in the folder of the server when its caller goes away', async () => {
        await grow(service, 60_000);
        const call = request(`${service.url}/backup`, { method: 'POST' });
        call.on('error', () => undefined);
        call.end();
        await waitFor(() => unfinished().length > 0);
        // Each takes the room of a whole database.
        expect((await fetch(`${service.url}/backup`, { method: 'POST' })).status).toBe(429);
        call.destroy();
        await waitFor(() => unfinished().length === 0);
        expect(await backup()).toMatchObject({ code: 0 });
        // What a server left that was killed on the way is gone at the next start.
        await service.stop({ keepData: true });
        writeFileSync(join(service.dataDir, `maps.sqlite-backup-${newId()}`), 'x');
        // Not what an operator made by hand.
        writeFileSync(join(service.dataDir, 'maps.sqlite-backup-monday'), 'x');
        service = await TestService.start(variables, join(folder, 'data'));
        expect(unfinished()).toEqual(['maps.sqlite-backup-monday']);
      });

      it('is refused while another one is made, and its caller learns when to try again', async () => {
        Object.assign(service.app.get(DatabaseBackup), { isBusy: true });
        const answer = await fetch(`${service.url}/backup`, { method: 'POST' });
        expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '5']);
        expect(await answer.json()).toMatchObject({
          errors: [{ extensions: { code: 'RATE_LIMITED', retryAfterMs: 5_000 } }],
        });
        expect(await backup()).toMatchObject({
          code: 125,
          stderr: expect.stringMatching(/RATE_LIMITED[^]*Try again in 5 s\./),
        });
      });

      it('needs the token, and is not made for pages of others', async () => {
        await service.stop({ keepData: true });
        service = await TestService.start({ ...variables, API_TOKEN: TOKEN }, join(folder, 'data'));
        const ask = async (headers: Record<string, string>): Promise<number> =>
          (await fetch(`${service.url}/backup`, { method: 'POST', headers })).status;
        expect(await ask({})).toBe(401);
        expect(await ask({ authorization: `Bearer ${TOKEN}`, origin: 'https://evil.example' })).toBe(403);
        expect((await fetch(`${service.url}/backup`)).status).toBe(401);
        expect(await backup()).toMatchObject({ code: 0 });
      });

      describeTier('postgres', whyNoPostgres, () => {
        it('names pg_dump where the jobs are in PostgreSQL', async () => {
          const database = await TestDatabase.create();
          const other = await TestService.start({ ...variables, DATABASE_URL: database.url });
          const end = await maps(['backup', target], { MAPS_SERVER: other.url });
          await other.stop();
          await database.drop();
          expect(end).toMatchObject({ code: 126, stderr: expect.stringMatching(/PostgreSQL.*pg_dump/) });
          expect([existsSync(target), existsSync(`${target}.partial`)]).toEqual([false, false]);
        });
      });
    });
  },
  ['process'],
);

/** Puts so many rows of a kilobyte into the database. */
async function grow(service: TestService, rows: number): Promise<void> {
  const { db } = service.app.get(Database);
  for (let at = 0; at < rows; at += 400) {
    const values = Array.from({ length: 400 }, () => ({ key: newId(), value: 'x'.repeat(1_000) }));
    await db.insertInto('service_meta').values(values).execute();
  }
}
