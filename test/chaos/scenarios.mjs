import { kubectl } from '../../tools/kube-namespace.mjs';
import { fromDist } from '../../tools/paths.mjs';
import { builtRelease } from '../../tools/previous-release.mjs';
import { pythonFor } from './runtimes/process.mjs';

const IMAGE = 'py-exec:slim';
/** Few kills, so that all of it takes minutes; long runs are for whoever wants to find something. */
const KILLS = { process: '10', docker: '10', kubernetes: '10' };
/** Its schedule has no server stopped for longer than a lease and no full disk, after either of which a run waits. */
const SEED = '4';

/**
 * What the tier `chaos` runs, each with why it cannot run here, if so, and with what it does where its name does not tell.
 * A name begins with its runtime's. Processes are without a sandbox where there can be none and TEST_REQUIRE does not ask
 * for it.
 *
 * @returns {Promise<{ name: string, args: string[], unavailable: string | undefined, used?: string }[]>}
 */
export async function chaosScenarios() {
  const local = await findProcess();
  return [
    { name: 'process', ...local },
    { name: 'process-warm', ...local, args: [...local.args, '--warm'] },
    upgrade(local),
    // With a pool some jobs start cold as well.
    { name: 'docker-warm', args: [...argsOf('docker'), '--warm'], unavailable: await whyNoDocker() },
    {
      name: 'kubernetes-warm',
      args: [...argsOf('kubernetes'), '--warm'],
      unavailable: await whyNoKubernetes(),
    },
  ];
}

/** Where the release before is built already; .ci/full builds it, and comes to all runtimes. */
function upgrade({ args, unavailable, used }) {
  const release = builtRelease();
  return {
    name: 'upgrade',
    args: [...args, '--kills', '2', '--previous', release.checkout],
    unavailable: unavailable ?? release.unavailable,
    used: used ?? 'process',
  };
}

function argsOf(runtime) {
  return ['--runtime', runtime, '--kills', KILLS[runtime], '--seed', SEED, '--quiet'];
}

async function findProcess() {
  const { probeProcess } = await fromDist('runtime/process/sandbox/probe.js');
  const probe = (isolation) => probeProcess({ python: pythonFor(isolation), isolation });
  const args = argsOf('process');
  const sandboxed = await probe('bubblewrap');
  if (sandboxed.fits || (process.env.TEST_REQUIRE ?? '').split(',').includes('process'))
    return { args, unavailable: whyNot(sandboxed), used: sandboxed.reason };
  const plain = await probe('none');
  const used = `${plain.reason}, since: ${sandboxed.reason}`;
  return { args: [...args, '--isolation', 'none'], unavailable: whyNot(plain), used };
}

async function whyNoDocker() {
  const { probeDocker } = await fromDist('runtime/docker/probe-docker.js');
  return whyNot(await probeDocker({ image: IMAGE }));
}

function whyNot({ fits, reason }) {
  return fits ? undefined : reason;
}

async function whyNoKubernetes() {
  if (!process.env.KUBECONFIG) return 'KUBECONFIG names no cluster to test on.';
  if (!process.env.TEST_DATABASE_URL)
    return 'TEST_DATABASE_URL names no PostgreSQL server, which several servers need.';
  try {
    const { items } = JSON.parse(await kubectl('get', 'nodes', '-o', 'json', '--request-timeout=5s'));
    const names = items.flatMap(({ status }) => status.images ?? []).flatMap((image) => image.names ?? []);
    if (names.some((name) => name === IMAGE || name.endsWith(`/${IMAGE}`))) return undefined;
    return `No node of the cluster has the image ${IMAGE}.`;
  } catch (error) {
    return `The cluster of KUBECONFIG cannot be asked: ${error.message}`;
  }
}
