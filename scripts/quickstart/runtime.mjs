// Where jobs run on this machine, by the service's own probes: Docker, else sandboxed processes, else unprotected ones.
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PYTHONS, PrepareError, ROOT } from '../prepare.mjs';

/**
 * The best that works here: `variables` for the service, `reason` in a sentence, and a `warning` when nothing protects
 * this machine from a script.
 */
export async function chooseRuntime() {
  const named = process.env.EXECUTION_RUNTIME;
  if (named && named !== 'auto')
    return { reason: `Jobs run on ${named}, as EXECUTION_RUNTIME says.`, variables: {} };
  const docker = await probeDocker();
  if (docker.fits)
    return { reason: `${docker.reason} Jobs run in containers.`, variables: { EXECUTION_RUNTIME: 'docker' } };
  const sandboxed = await probePythons('bubblewrap');
  if (sandboxed.python)
    return {
      reason: `${docker.reason} Jobs run as processes in a sandbox (bubblewrap).`,
      variables: toVariables('bubblewrap', sandboxed.python),
    };
  const bare = await probePythons('none');
  if (!bare.python) throw new PrepareError(`Nothing here can run scripts. ${docker.reason} ${bare.reason}`);
  return {
    warning:
      'WARNING: scripts run UNPROTECTED here, as plain processes without a sandbox. Run only what you trust.',
    reason: `${docker.reason} bubblewrap is not here or not allowed to make a sandbox. Either of the two would protect this machine.`,
    variables: { ...toVariables('none', bare.python), ...(await reachableData()) },
  };
}

async function probeDocker() {
  const { probeDocker } = await import(`${ROOT}/dist/runtime/docker/probe-docker.js`);
  return probeDocker({
    dockerHost: process.env.DOCKER_HOST,
    image: process.env.RUNNER_IMAGE ?? 'py-exec:latest',
  });
}

/** The first Python in which scripts can run: a version manager's own may be closed to the user of scripts. */
async function probePythons(isolation) {
  const { probeProcess } = await import(`${ROOT}/dist/runtime/process/sandbox/probe.js`);
  let reason;
  for (const python of process.env.PROCESS_PYTHON ? [process.env.PROCESS_PYTHON] : PYTHONS) {
    const probe = await probeProcess({ python, isolation });
    if (probe.fits) return { python, reason: probe.reason };
    reason ??= probe.reason;
  }
  return { reason };
}

/** Root gives scripts another user, who may have no way to a checkout in root's home: data goes elsewhere then. */
async function reachableData() {
  const { closedFolder } = await import(`${ROOT}/dist/runtime/process/sandbox/reachable.js`);
  const { runnerUser } = await import(`${ROOT}/dist/workspace/runner-user.js`);
  if (process.env.DATA_DIR || !(await closedFolder(ROOT, runnerUser()))) return {};
  // The same one for this checkout each time: jobs of the last start are there again.
  const mark = createHash('sha256').update(ROOT).digest('hex').slice(0, 8);
  const folder = join('/var/lib/maps-python', `${basename(ROOT)}-${mark}`);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  return { DATA_DIR: folder };
}

function toVariables(isolation, python) {
  return {
    EXECUTION_RUNTIME: 'process',
    PROCESS_ISOLATION: isolation,
    ...(python === 'python3' ? {} : { PROCESS_PYTHON: python }),
  };
}
