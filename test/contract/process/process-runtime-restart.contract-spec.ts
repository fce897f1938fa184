import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProcessRuntime } from '../../../src/runtime/process/process.runtime.js';
import { hostScope, scopeText } from '../../../src/runtime/process/cgroups/host-scope.js';
import { childrenOf } from '../../../src/runtime/process/workload/process-table.js';
import { toRecord } from '../../../src/runtime/process/workload/workload-record.js';
import { errnoOf } from '../../../src/common/app-error.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { missingControllers } from '../../support/runtimes/process/runtime-cgroups.js';
import type { Workload } from '../../support/runtimes/runtime-bench.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import type { Isolation } from '../../support/runtimes/process/runtime-process.js';
import {
  ProcessBackdoor,
  gone,
  lookForProcess,
  testPython,
  whyNoStrays,
} from '../../support/runtimes/process/runtime-process.js';
import { describeTier, isRequired } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';
import { SILENT_LOG } from '../../support/recorded-log.js';

const SERVER = fileURLToPath(new URL('../../support/service/process-server.mjs', import.meta.url));
/** Prints until the file `go` is in its output folder, then ends with 7. */
const WAITS_FOR_GO = `
import os, time
print("ready", flush=True)
while not os.path.exists("go"):
    time.sleep(0.02)
print("went on")
raise SystemExit(7)
`;
const SLEEPS = 'import time\nprint("ready", flush=True)\ntime.sleep(300)\n';

const missing = await missingControllers();
for (const isolation of ['bubblewrap', 'none'] as const) {
  const backdoor = new ProcessBackdoor(`test-${randomUUID()}`, isolation);
  const { unavailable, used } = await lookForProcess(isolation);
  describeTier('process', unavailable, () => describeRestarts(isolation, backdoor), used);
}

function describeRestarts(isolation: Isolation, backdoor: ProcessBackdoor): void {
  describe(`the process runtime (${isolation}) after a server's death`, () => {
    let bench: RuntimeBench;
    const servers: ChildProcess[] = [];
    const options = (dataDir: string) => {
      const { installationId } = backdoor;
      return { dataDir, isolation, installationId, python: testPython(isolation) };
    };
    const create = (dataDir: string): Promise<RuntimeProvider> => {
      backdoor.dataDir = dataDir;
      return createProcessRuntime({ ...options(dataDir), log: SILENT_LOG });
    };

    beforeAll(async () => {
      bench = await RuntimeBench.open({ create, hooks: backdoor, image: 'none' });
    });
    afterEach(async () => {
      for (const server of servers.splice(0)) server.kill('SIGKILL');
      await bench.tidy();
    });
    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
    });

    /** Lets another server start the workload; resolves with that server and the handle it got. */
    async function startElsewhere(
      workload: Workload,
      starts = 1,
    ): Promise<{ server: ChildProcess; handle: string }> {
      const task = JSON.stringify({ options: options(bench.dataDir), spec: workload.spec, starts });
      const server = spawn(process.execPath, [SERVER, task], {
        stdio: ['ignore', 'pipe', 'inherit'],
        cwd: '/',
      });
      servers.push(server);
      const [line] = (await once(server.stdout, 'data')) as [Buffer];
      return { server, handle: line.toString().trim() };
    }

    it('lets a workload go on when its server is killed, and tells the next one its true exit', async () => {
      const workload = await bench.prepare({ script: WAITS_FOR_GO });
      const { server, handle } = await startElsewhere(workload);
      workload.handle = handle;
      await workload.printed('ready');
      server.kill('SIGKILL');
      await once(server, 'exit');

      const listed = (await bench.provider.list()).find((each) => each.name === workload.spec.name);
      expect(listed).toMatchObject({ handle, state: 'running', jobId: workload.spec.jobId, attempt: 1 });
      const exit = workload.exit();
      await writeFile(join(workload.spec.workspace.outputDir, 'go'), '');
      expect(await exit).toEqual({ kind: 'exited', exitCode: 7, oomKilled: false });
      expect((await workload.spool()).stdout).toBe('ready\nwent on\n');
    });

    it('starts a workload once when three servers start it ten times each', async () => {
      const workload = await bench.prepare({ script: 'print("x")\n' });
      const started = await Promise.all([1, 2, 3].map(() => startElsewhere(workload, 10)));
      workload.handle = started[0]!.handle;
      expect(new Set(started.map(({ handle }) => handle)).size).toBe(1);
      expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
      expect((await workload.spool()).frames.filter((frame) => frame.kind === 'started')).toHaveLength(1);
    });

    it('finishes a removal that a server died over', async () => {
      const workload = await bench.start({ script: SLEEPS });
      await workload.printed('ready');
      const pids = backdoor.processesOf(workload.spec);
      backdoor.folders.retire(workload.spec.name);
      const next = await bench.another();
      await gone(pids);
      expect((await next.list()).map((each) => each.name)).not.toContain(workload.spec.name);
      expect(await workload.exit()).toMatchObject({ kind: 'lost' });
      workload.handle = '';
    });

    it('clears away what a server left that died while it made a workload', async () => {
      const [old, fresh] = ['.new-old', '.new-fresh'].map((name) => backdoor.folders.path(name));
      for (const folder of [old!, fresh!]) await mkdir(folder);
      await utimes(old!, 0, 0);
      await bench.another();
      expect([old, fresh].map((folder) => existsSync(folder!))).toEqual([false, true]);
      await rm(fresh!, { recursive: true });
    });

    it('clears away the records of an earlier boot, and leaves those of another host', async () => {
      const workload = await bench.prepare({ script: SLEEPS });
      const common = { installationId: backdoor.installationId, isolation };
      const earlier = scopeText({ ...hostScope(), boot: 'earlier' });
      const elsewhere = scopeText({ ...hostScope(), host: 'elsewhere' });
      backdoor.folders.create('runner-earlier', toRecord(workload.spec, { ...common, scope: earlier }));
      backdoor.folders.create('runner-elsewhere', toRecord(workload.spec, { ...common, scope: elsewhere }));
      const next = await bench.another();
      expect(readdirSync(backdoor.folders.root).filter((name) => /earlier|elsewhere/.test(name))).toEqual([
        'runner-elsewhere',
      ]);
      expect((await next.list()).map((each) => each.name)).not.toContain('runner-elsewhere');
      backdoor.folders.retire('runner-elsewhere');
      backdoor.folders.discard('runner-elsewhere');
    });

    it('shows a workload whose record is damaged, without its job', async () => {
      await mkdir(backdoor.folders.path('runner-damaged'));
      await writeFile(join(backdoor.folders.path('runner-damaged'), 'spec.json'), '{"version":1');
      const listed = (await bench.provider.list()).find((each) => each.name === 'runner-damaged');
      expect(listed).toMatchObject({ jobId: null, attempt: null, state: 'created' });
      await bench.provider.remove(listed!.handle);
      expect(await bench.provider.list()).toEqual([]);
    });

    it('calls a workload lost whose supervisor was killed, and only when nothing of it lives', async () => {
      const workload = await bench.start({ script: SLEEPS });
      await workload.printed('ready');
      const pids = backdoor.processesOf(workload.spec);
      for (const pid of pids) killIfThere(pid);
      expect(await workload.exit()).toMatchObject({ kind: 'lost' });
      await gone(pids);
    });

    it('waits for a script whose supervisor was killed', async () => {
      const workload = await bench.start({ script: WAITS_FOR_GO });
      await workload.printed('ready');
      process.kill(backdoor.folders.read(workload.spec.name)!.supervisor!.pid, 'SIGKILL');
      const soon = bench.provider.wait(workload.handle, AbortSignal.timeout(600));
      await expect(soon).rejects.toThrow();
      await writeFile(join(workload.spec.workspace.outputDir, 'go'), '');
      const exit = await workload.exit();
      // bwrap itself tells how its sandbox ended; without it, nobody does.
      if (isolation === 'bubblewrap') expect(exit).toEqual({ kind: 'exited', exitCode: 7, oomKilled: false });
      else expect(exit).toMatchObject({ kind: 'lost' });
    });

    const noStrays = isRequired('process') ? undefined : whyNoStrays(isolation, missing);
    if (noStrays !== undefined) process.stderr.write(`SKIPPED process: ${noStrays}\n`);
    (noStrays === undefined ? it : it.skip)(
      'ends what a killed runner has left, before it says so',
      async () => {
        const script = `
import subprocess, time
subprocess.Popen(["sleep", "300"], start_new_session=True)
print("ready", flush=True)
time.sleep(300)
`;
        const workload = await bench.start({ script });
        await workload.printed('ready');
        await waitFor(() => runnerOf(workload) !== undefined, { describe: () => 'the pid of the runner' });
        const pids = backdoor.processesOf(workload.spec);
        process.kill(runnerOf(workload)!, 'SIGKILL');
        expect(await workload.exit()).toEqual({ kind: 'exited', exitCode: 137, oomKilled: false });
        await gone(pids);
      },
    );

    function runnerOf(workload: Workload): number | undefined {
      const { sandbox, supervisor } = backdoor.folders.read(workload.spec.name)!;
      if (isolation === 'bubblewrap') return sandbox.childPid;
      return supervisor && childrenOf(supervisor.pid)[0];
    }
  });
}

/** With its parent one may end on its own before its turn comes. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
