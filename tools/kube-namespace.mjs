import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { atEnd } from './cleanup.mjs';
import { temporaryFolder } from './folders.mjs';

const execute = promisify(execFile);
const VOLUME_CLAIMS = { inputs: 'maps-inputs', outputs: 'maps-outputs', logs: 'maps-logs' };

/** What `kubectl` prints; KUBECONFIG says which cluster. */
export async function kubectl(...args) {
  return (await execute('kubectl', args, { maxBuffer: 64 * 1024 * 1024 })).stdout;
}

/**
 * A namespace of its own whose three volume claims are folders of this machine, and the variables of a server outside the
 * cluster that uses it. Needs KUBECONFIG and hostPath volumes; all of it is gone when the figure is over.
 */
export async function kubeNamespace(prefix = 'maps-bench-') {
  if (!process.env.KUBECONFIG) throw new Error('KUBECONFIG names no cluster to use');
  const namespace = `${prefix}${randomUUID().slice(0, 8)}`;
  await kubectl('create', 'namespace', namespace);
  const folders = {};
  atEnd(() => removeNamespace(namespace, Object.values(folders)));
  const workspaceDir = join(await temporaryFolder(), 'workspaces');
  await mkdir(workspaceDir);
  for (const [root, volumeClaim] of Object.entries(VOLUME_CLAIMS)) {
    folders[root] = await boundFolder(namespace, volumeClaim);
    await symlink(folders[root], join(workspaceDir, root));
  }
  const { KUBECONFIG } = process.env;
  // A namespace without a policy has nothing to wait for, and pods that try it would be in the way of what is measured.
  const variables = {
    KUBECONFIG,
    K8S_NAMESPACE: namespace,
    WORKSPACE_DIR: workspaceDir,
    K8S_NETWORK_POLICY: 'false',
  };
  return { namespace, variables };
}

async function boundFolder(namespace, name) {
  const volumeClaim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteMany'], resources: { requests: { storage: '1Gi' } } },
  };
  await apply(volumeClaim);
  for (let round = 0; round < 300; round++) {
    const volume = await kubectl('get', 'pvc', name, '-n', namespace, '-o', 'jsonpath={.spec.volumeName}');
    if (volume) return kubectl('get', 'pv', volume, '-o', 'jsonpath={.spec.hostPath.path}');
    await sleep(100);
  }
  throw new Error(`the claim ${name} was not bound`);
}

function apply(object) {
  return new Promise((resolve, reject) => {
    const child = execFile('kubectl', ['apply', '-f', '-'], (error) => (error ? reject(error) : resolve()));
    child.stdin.end(JSON.stringify(object));
  });
}

/** Empties the folders, too, and frees their volumes for whoever comes next. */
async function removeNamespace(namespace, folders) {
  await kubectl('delete', 'namespace', namespace, '--wait=true', '--timeout=120s');
  const { items } = JSON.parse(await kubectl('get', 'pv', '-o', 'json'));
  for (const { metadata, spec } of items) {
    const path = spec.hostPath?.path;
    if (!folders.includes(path)) continue;
    for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
    await kubectl('patch', 'pv', metadata.name, '--type=merge', '-p', '{"spec":{"claimRef":null}}');
  }
}
