import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const CONFIG = '.dependency-cruiser.cjs';

/** For each rule an import that it is there to forbid: from a file to another, or to a package. */
const BREACHES: Record<string, readonly [from: string, to: string]> = {
  'no-circular': ['logs/ring-a.ts', 'logs/ring-b.ts'],
  'common-is-a-leaf': ['common/a.ts', 'config/x.ts'],
  'runner-is-a-contract': ['runner/a.ts', 'config/x.ts'],
  'config-knows-common': ['config/a.ts', 'database/x.ts'],
  'database-knows-config': ['database/a.ts', 'jobs/store/x.ts'],
  'workspace-knows-config': ['workspace/a.ts', 'database/x.ts'],
  'the-output-store-knows-no-job': ['outputs/store/a.ts', 'jobs/record/x.ts'],
  'runtime-knows-no-job': ['runtime/a.ts', 'jobs/record/x.ts'],
  'jobs-know-no-runtime': ['jobs/a.ts', 'runtime/x.ts'],
  'the-outbox-knows-no-job': ['outbox/a.ts', 'jobs/record/x.ts'],
  'jobs-record-is-a-leaf': ['jobs/record/a.ts', 'jobs/store/x.ts'],
  'jobs-store-knows-the-record': ['jobs/store/a.ts', 'jobs/retention/x.ts'],
  'jobs-retention-is-above-the-store': ['jobs/retention/a.ts', 'jobs/x.ts'],
  'jobs-api-is-on-top': ['jobs/b.ts', 'jobs/api/x.ts'],
  'only-the-store-knows-rows': ['logs/rows.ts', 'database/tables.ts'],
  'logs-know-no-runtime': ['logs/a.ts', 'runtime/x.ts'],
  'execution-is-below-the-api': ['execution/a.ts', 'graphql/x.ts'],
  'outputs-are-reached-by-their-contract': ['execution/b.ts', 'outputs/store/folder.ts'],
  'outcome-is-a-leaf': ['execution/outcome/a.ts', 'execution/attempt/x.ts'],
  'attempt-is-below-admission': ['execution/attempt/a.ts', 'execution/admission/x.ts'],
  'admission-and-takeover-begin-attempts': ['execution/takeover/a.ts', 'execution/admission/x.ts'],
  'upkeep-stands-alone': ['execution/upkeep/a.ts', 'execution/attempt/x.ts'],
  'clients-use-the-public-api': ['cli/a.ts', 'common/x.ts'],
  'runtimes-do-not-know-each-other': ['runtime/docker/a.ts', 'runtime/process/x.ts'],
  'the-list-alone-knows-runtimes': ['execution/c.ts', 'runtime/docker/x.ts'],
  'the-list-knows-definitions': ['runtime/runtimes.ts', 'runtime/docker/x.ts'],
  'dockerode-is-fenced': ['runtime/d.ts', 'dockerode'],
  'kubernetes-client-node-is-fenced': ['runtime/k.ts', '@kubernetes/client-node'],
  'pg-is-fenced': ['jobs/p.ts', 'pg'],
  'photostructure-sqlite-is-fenced': ['jobs/s.ts', '@photostructure/sqlite'],
  'migrations-and-repositories-write-sql': ['logs/k.ts', 'kysely'],
  'kubernetes-api-knows-what-is-below': ['runtime/kubernetes/api/a.ts', 'runtime/kubernetes/pod/x.ts'],
  'kubernetes-pod-knows-what-is-below': ['runtime/kubernetes/pod/a.ts', 'runtime/kubernetes/life/x.ts'],
  'kubernetes-life-knows-what-is-below': ['runtime/kubernetes/life/a.ts', 'runtime/kubernetes/probes/x.ts'],
  'kubernetes-probes-knows-what-is-below': ['runtime/kubernetes/probes/a.ts', 'runtime/kubernetes/life/x.ts'],
  'process-sandbox-knows-what-is-below': ['runtime/process/sandbox/a.ts', 'runtime/process/workload/x.ts'],
  'process-cgroups-knows-what-is-below': ['runtime/process/cgroups/a.ts', 'runtime/process/sandbox/x.ts'],
};

interface Violation {
  from: string;
  rule: { name: string };
}

describe('the rules of imports', () => {
  let folder: string;
  let violations: Violation[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'maps-rules-'));
    copyFileSync(join(ROOT, CONFIG), join(folder, CONFIG));
    copyFileSync(join(ROOT, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    write('logs/ring-b.ts', ["import './ring-a.js';"]);
    for (const [from, to] of Object.values(BREACHES)) {
      if (!to.endsWith('.ts')) write(from, [`import '${to}';`]);
      else write(from, [`import './${relative(dirname(from), to.replace(/ts$/, 'js'))}';`]);
      if (to.endsWith('x.ts') || to.endsWith('tables.ts') || to.endsWith('folder.ts'))
        write(to, ['export {};']);
    }
    const program = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const args = [program, 'src', '--config', CONFIG, '--output-type', 'json'];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: folder,
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error: { stdout: string }) => error);
    violations = (JSON.parse(stdout) as { summary: { violations: Violation[] } }).summary.violations;
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function write(path: string, lines: string[]): void {
    const at = join(folder, 'src', path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, `${lines.join('\n')}\n`);
  }

  it('each have a breach here, and no other has', () => {
    const { forbidden } = createRequire(import.meta.url)(join(ROOT, CONFIG)) as {
      forbidden: { name: string }[];
    };
    expect(Object.keys(BREACHES).sort()).toEqual(forbidden.map(({ name }) => name).sort());
  });

  it.each(Object.entries(BREACHES))('%s is seen to fire', (name, [from]) => {
    const fired = violations.filter((violation) => violation.from === `src/${from}`);
    expect(fired.map(({ rule }) => rule.name)).toContain(name);
  });
});
