import { kubectl } from '../../bench/lib/kube-namespace.mjs';
import { fromDist } from '../../bench/lib/paths.mjs';

const IMAGE = 'py-exec:slim';
/** Few kills, so that all of it takes minutes; long runs are for whoever wants to find something. */
const KILLS = { process: '10', docker: '10', kubernetes: '10' };
/** Its schedule has no server stopped for longer than a lease and no full disk, after either of which a run waits. */
const SEED = '4';

/**
 * What the tier `chaos` runs, each with why it cannot run here, if so. A name begins with its runtime's.
 *
 * @returns {Promise<{ name: string, args: string[], unavailable: string | undefined }[]>}
 */
export async function chaosScenarios() {
  return [
    { name: 'process', args: argsOf('process'), unavailable: await whyNoProcess() },
    { name: 'process-warm', args: [...argsOf('process'), '--warm'], unavailable: await whyNoProcess() },
    // With a pool some jobs start cold as well.
    { name: 'docker-warm', args: [...argsOf('docker'), '--warm'], unavailable: await whyNoDocker() },
    {
      name: 'kubernetes-warm',
      args: [...argsOf('kubernetes'), '--warm'],
      unavailable: await whyNoKubernetes(),
    },
  ];
}

function argsOf(runtime) {
  return ['--runtime', runtime, '--kills', KILLS[runtime], '--seed', SEED, '--quiet'];
}

async function whyNoProcess() {
  const { probeProcess } = await fromDist('runtime/process/probe.js');
  return whyNot(await probeProcess({ python: 'python3', isolation: 'bubblewrap' }));
}

async function whyNoDocker() {
  const { probeDocker } = await fromDist('runtime/docker/probe-docker.js');
  return whyNot(await probeDocker({ image: IMAGE }));
}

function whyNot({ ok, reason }) {
  return ok ? undefined : reason;
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
