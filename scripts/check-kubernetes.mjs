// Deploys the service on a cluster as k8s/README.md says, uses it and removes it again. Leaves nothing but the images and
// the volumes of the volume claims of the namespace maps-python; a cluster that has this namespace already is refused.
//
//   KUBECONFIG=… node scripts/check-kubernetes.mjs [--skip-build] [--port=8000] [--keep]
//
//   --skip-build      take both images as they are
//   --port=8000       local port of kubectl port-forward; a free one when not given
//   --keep            leave it deployed
//   KUBE_LOAD_IMAGES  command that brings local images to the nodes, called with their names, for example
//                     "kind load docker-image"; unset: nodes have them or fetch them
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { check, expect, main, step } from './deployment/checks.mjs';
import { freePort, must, run, until } from './deployment/commands.mjs';
import { buildImages, loadImages } from './deployment/images.mjs';
import { NAMESPACE, checkAllowed, checkCanI, checkRefused } from './deployment/permissions.mjs';
import { Service, countedLines, countingScript } from './deployment/service.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';

/** In this order, so that nothing is made before what it needs. */
const FILES = [
  'namespace',
  'persistent-volumes',
  'configmap',
  'secret',
  'rbac',
  'network-policy',
  'backend-deployment',
  'backend-service',
];
const BACKEND = 'deployment/maps-backend';
/** What a server rightly says on a cluster whose network enforces no policy. */
const NOT_HELD = 'Its network enforces no policy';
const ROLLOUT_TIMEOUT_MS = 5 * 60_000;

const option = (name) => process.argv.find((each) => each.startsWith(`--${name}=`))?.split('=')[1];
const has = (name) => process.argv.includes(`--${name}`);
const token = randomBytes(24).toString('hex');
let isOurs = false;
let tunnel;

main(
  async () => {
    await ensureInstalled({ log: console.log });
    await ensureBuilt({ log: console.log });
    const port = Number(option('port') ?? (await freePort()));
    const service = new Service(`http://127.0.0.1:${port}`, token);

    step('cluster');
    await check('it answers', async () => {
      const { serverVersion } = JSON.parse(await must('kubectl', ['version', '-o', 'json']));
      return serverVersion.gitVersion;
    });
    await check(`the namespace ${NAMESPACE} is free`, async () => {
      const { code } = await run('kubectl', ['get', 'namespace', NAMESPACE]);
      expect(code !== 0, `it is there: kubectl delete namespace ${NAMESPACE}`);
    });

    step('images');
    if (has('skip-build')) console.log('  as they are');
    else await buildImages();
    const load = process.env.KUBE_LOAD_IMAGES;
    if (load) await check('are on the nodes', () => loadImages(load));

    step('kubectl apply -f, file by file');
    isOurs = true;
    const apply = (file) =>
      check(`k8s/${file}.yaml`, async () => void (await kubectl('apply', '-f', `k8s/${file}.yaml`)));
    await apply('namespace');
    await checkOverlays();
    for (const file of FILES.slice(1)) await apply(file);
    await checkKustomization();

    step('the first start');
    await check('the backend refuses the placeholder of the token', () =>
      until(async () => {
        const args = ['logs', '-l', 'app.kubernetes.io/name=maps-backend', '--tail=20'];
        return (await kubectl(...args)).includes('API_TOKEN is still a placeholder');
      }, 'its refusal'),
    );
    await check('with a token of our own it starts', async () => {
      const secret = ['create', 'secret', 'generic', 'maps-api-token', `--from-literal=API_TOKEN=${token}`];
      const manifest = await kubectl(...secret, '--dry-run=client', '-o', 'yaml');
      await must('kubectl', ['apply', '-n', NAMESPACE, '-f', '-'], { input: manifest });
      await restart();
    });
    tunnel = new Tunnel(port);
    await check(`kubectl port-forward svc/maps-backend ${port}:8000`, async () => {
      const { status, runtime } = await until(() => service.health(), 'the service');
      expect(
        status === 'healthy' && runtime.name === 'kubernetes' && runtime.healthy,
        JSON.stringify(runtime),
      );
      return runtime.message;
    });

    await check('it says whether the network holds jobs back', async () => {
      const { message } = await until(async () => {
        const { runtime } = await service.health();
        return /is not known/.test(runtime.message) ? undefined : runtime;
      }, 'that its pod has tried');
      expect(/Its network (holds|enforces no policy)/.test(message), message);
      return message;
    });

    step('what the backend may do');
    await check('kubectl auth can-i create pods', () => checkCanI('create', 'pods'));
    await check('everything it needs', checkAllowed);
    await check('nothing beyond its role', checkRefused);

    step('jobs');
    await service.checkExamples();
    await check('a log is seen while the job runs', () => service.checkLiveLog());
    await check('kubectl logs runner-<job-id> shows it too', async () => {
      const id = await service.start(countingScript(30, 0.3));
      const seen = await until(
        async () => (await kubectl('logs', `runner-${id}`)).match(/^line \d+$/gm)?.length,
        'a line of the job',
      );
      await service.maps(['cancel', id]);
      expect(seen < 30, 'the job had ended');
      return `${seen} lines so far`;
    });
    await check('reference data is at /data, read-only', async () => {
      const args = ['exec', '-i', '-n', NAMESPACE, BACKEND, '--', 'sh', '-c', 'cat > /data/motto.txt'];
      await must('kubectl', args, { input: 'terra incognita' });
      const input = 'print(open("/data/motto.txt").read())\nopen("/data/motto.txt", "a")';
      const { code, stdout, stderr } = await service.maps(['run', '-', '--follow'], { input });
      expect(stdout === 'terra incognita\n', `it printed: ${stdout}${stderr}`);
      expect(code === 1 && stderr.includes('Read-only file system'), `it ended with ${code}: ${stderr}`);
    });

    step('restart');
    await check('a job goes on while the deployment is restarted, and its log is whole', async () => {
      await untilNoRunnerPod();
      const following = service.maps(['run', '-', '--follow'], { input: countingScript(60, 0.4) });
      const pod = await until(() => runnerPod(), 'the pod of the job');
      const startedAt = Date.now();
      await restart();
      const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
      const { code, stdout, stderr } = await following;
      expect(code === 0 && stdout === countedLines(60), `it ended with ${code}:\n${stdout}\n${stderr}`);
      const { state, attempt } = JSON.parse((await service.maps(['get', pod.slice(7), '--json'])).stdout);
      expect(state === 'SUCCEEDED' && attempt === 1, `${state} in attempt ${attempt}`);
      return `followed over a restart of ${seconds} s`;
    });
    await check('no pod of a job is left behind', untilNoRunnerPod);
    await check('the backend complained of nothing', async () => {
      const log = await kubectl('logs', BACKEND);
      const lines = log.split('\n').filter((line) => !line.includes(NOT_HELD));
      const bad = lines.filter((line) => /"level":[456]0/.test(line));
      expect(bad.length === 0, bad.join('\n'));
      const restarts = '-o=jsonpath={.items[*].status.containerStatuses[*].restartCount}';
      const count = await kubectl('get', 'pods', '-l', 'app.kubernetes.io/name=maps-backend', restarts);
      expect(count === '0', `it was restarted ${count} times`);
    });
  },
  async () => {
    tunnel?.close();
    if (!isOurs || has('keep')) return;
    step('cleaning up');
    await check(`kubectl delete namespace ${NAMESPACE}`, async () => {
      await must('kubectl', ['delete', 'namespace', NAMESPACE], { timeoutMs: 300_000 });
    });
    await check('nothing is left', async () => {
      const { code, stderr } = await run('kubectl', ['get', 'namespace', NAMESPACE]);
      expect(code !== 0 && stderr.includes('NotFound'), `the namespace: ${stderr}`);
    });
  },
);

/** Into the empty namespace, since the access modes of volume claims that exist cannot change: the server takes every object. */
async function checkOverlays() {
  const hasBudgets = (await must('kubectl', ['api-versions'])).split('\n').includes('policy/v1');
  for (const overlay of ['local', 'production', 'replicas']) {
    if (overlay === 'replicas' && !hasBudgets) {
      console.log('  skipped k8s/overlays/replicas: this cluster has no policy/v1');
      continue;
    }
    await check(`k8s/overlays/${overlay} is valid, and the server warns of nothing`, async () => {
      const rendered = await must('kubectl', ['kustomize', `k8s/overlays/${overlay}`]);
      const args = ['apply', '--dry-run=server', '-f', '-'];
      const { code, stderr } = await run('kubectl', args, { input: rendered });
      expect(code === 0 && !/warning/i.test(stderr), stderr);
    });
  }
}

/** The same files by kustomize. */
async function checkKustomization() {
  await check('kubectl apply -k k8s/ changes nothing', async () => {
    const printed = await must('kubectl', ['apply', '-k', 'k8s/', '--dry-run=server']);
    const changed = printed.split('\n').filter((line) => !/ unchanged/.test(line));
    // A server of another version may write defaults back; what matters is that it takes every object.
    expect(
      changed.every((line) => / configured/.test(line)),
      changed.join('\n'),
    );
  });
}

function kubectl(...args) {
  return must('kubectl', [...args, '-n', NAMESPACE]);
}

async function restart() {
  await kubectl('rollout', 'restart', BACKEND);
  const wait = ['rollout', 'status', BACKEND, '-n', NAMESPACE, `--timeout=${ROLLOUT_TIMEOUT_MS / 1000}s`];
  await must('kubectl', wait, { timeoutMs: ROLLOUT_TIMEOUT_MS + 10_000 });
}

/** The name of a job's pod that is there, or undefined; a probe of the backend's is none. */
async function runnerPod() {
  const names = await kubectl('get', 'pods', '-l', 'app.kubernetes.io/name=maps-runner', '-o', 'name');
  const pods = names.split('\n').map((name) => name.replace('pod/', ''));
  return pods.find((name) => name !== '' && !name.startsWith('runner-probe-'));
}

/** A pod is taken down behind its job's end. */
function untilNoRunnerPod() {
  return until(async () => (await runnerPod()) === undefined, 'that all runner pods are gone');
}

/** `kubectl port-forward` holds on to one pod: it is started again when that pod goes. */
class Tunnel {
  constructor(port) {
    this.args = ['port-forward', '-n', NAMESPACE, 'svc/maps-backend', `${port}:8000`];
    this.open();
  }

  open() {
    this.child = spawn('kubectl', this.args, { stdio: ['ignore', 'ignore', 'pipe'] });
    // Without a pod behind it kubectl says so for every connection, and stays.
    this.child.stderr.setEncoding('utf8').on('data', (text) => {
      if (/lost connection|error forwarding|unable to forward/i.test(text)) this.child.kill();
    });
    this.child.once('close', () => {
      if (!this.isClosed) setTimeout(() => this.isClosed || this.open(), 500);
    });
  }

  close() {
    this.isClosed = true;
    this.child.kill();
  }
}
