import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '../../tools/folders.mjs';
import { fromDist } from '../../tools/paths.mjs';
import { makeWorkspace, workloadSpec } from './workspace.mjs';

/** The same sandbox as the server's, made by the same arguments, but `python3 -u script.py` in it. */
export async function bareSandboxes(script) {
  const { examineMachine } = await fromDist('runtime/process/sandbox/machine.js');
  const { workloadCommand } = await fromDist('runtime/process/workload/workload-command.js');
  const { writeSandboxEtc } = await fromDist('runtime/process/sandbox/sandbox-etc.js');
  const { seccompFilter } = await fromDist('runtime/process/sandbox/seccomp-filter.js');
  const { BundledRunner } = await fromDist('runtime/process/bundled-runner.js');
  const { runnerUser } = await fromDist('workspace/runner-user.js');
  const root = await temporaryFolder();
  const machine = await examineMachine({ isolation: 'bubblewrap', python: 'python3' });
  if (typeof machine === 'string') throw new Error(machine);
  const etcDir = join(root, 'etc');
  await writeSandboxEtc(etcDir, runnerUser());
  const workspace = await makeWorkspace(root, script);
  const filterPath = join(root, 'filter');
  await writeFile(filterPath, seccompFilter(process.arch) ?? '');
  const runnerPath = await new BundledRunner(root, machine.interpreter).path();
  const { command, env } = workloadCommand(machine, etcDir, workloadSpec(workspace), undefined);
  const [program, ...args] = [...command.slice(0, -1), '/job/script.py'];

  // The arguments name the descriptors 3 (bwrap's report), 5 (the runner, here only copied) and 6 (the filter).
  const start = () => {
    const files = [openSync('/dev/null', 'w'), openSync(runnerPath, 'r'), openSync(filterPath, 'r')];
    const [report, runner, filter] = files;
    try {
      return spawn(program, args, {
        cwd: '/',
        env: { PATH: '/usr/bin:/bin', ...env },
        stdio: ['ignore', 'pipe', 'ignore', report, 'ignore', runner, filter],
      });
    } finally {
      files.forEach((fd) => closeSync(fd));
    }
  };
  return {
    run: async () => {
      const startedAt = performance.now();
      const child = start();
      const exited = once(child, 'close');
      let firstMs;
      child.stdout.once('data', () => (firstMs = performance.now() - startedAt));
      const [code] = await exited;
      const endMs = performance.now() - startedAt;
      if (code !== 0 || firstMs === undefined) throw new Error(`the bare sandbox ended with ${code}`);
      return { firstMs, endMs };
    },
    runOnce: async () => {
      const child = start();
      child.stdout.resume();
      const [code] = await once(child, 'close');
      if (code !== 0) throw new Error(`the bare sandbox ended with ${code}`);
    },
  };
}
