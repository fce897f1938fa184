import { describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type {
  KubernetesObject,
  V1ConfigMap,
  V1Deployment,
  V1PersistentVolumeClaim,
  V1Pod,
  V1PodSpec,
  V1Role,
  V1Secret,
  V1Service,
} from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';
import { ConfigError, loadConfig } from '../../../src/config/load-config.js';
import { variablesOf } from '../../../src/config/variable.decorator.js';
import { configParts } from '../../../src/config/app-config.js';
import { RUNTIMES } from '../../../src/runtime/runtimes.js';
import { SCHEMA_VERSION, schemaFaults } from '../../support/runtimes/kubernetes/kubernetes-schema.js';
import { ROOT } from '../../support/service/maps-cli.js';
import { restrictedViolations } from '../../support/runtimes/kubernetes/pod-security.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';

const K8S = join(ROOT, 'k8s');
/** In the order in which they are applied one by one. */
const FILES = [
  'namespace.yaml',
  'persistent-volumes.yaml',
  'configmap.yaml',
  'secret.yaml',
  'rbac.yaml',
  'network-policy.yaml',
  'backend-deployment.yaml',
  'backend-service.yaml',
];
const OVERLAYS = ['.', 'overlays/local', 'overlays/production', 'overlays/replicas'];

/** As it is written: the client library's reader drops what it does not know. */
function parse(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  for (const { errors } of documents) expect(errors).toEqual([]);
  return documents.map((each) => each.toJS() as KubernetesObject | null).filter((each) => each !== null);
}

const read = (path: string): KubernetesObject[] => parse(readFileSync(join(K8S, path), 'utf8'));
const base = FILES.flatMap(read);

describe(`the manifests, by the schema of Kubernetes ${SCHEMA_VERSION}`, () => {
  const others = readdirSync(K8S, { recursive: true, encoding: 'utf8' })
    .filter(
      (path) => path.endsWith('.yaml') && !path.startsWith('base/') && !path.endsWith('kustomization.yaml'),
    )
    // Patches are parts of objects; they are looked at in what kustomize makes of them.
    .filter((path) => !/overlays\/\w+\/(backend|configuration|volumes)\.yaml$/.test(path))
    .sort();

  it('finds them all', () => {
    expect(others).toEqual(expect.arrayContaining([...FILES, 'overlays/production/ingress.yaml']));
  });

  it.each(others)('%s holds valid objects and nothing unknown', (path) => {
    expect(read(path).flatMap(schemaFaults)).toEqual([]);
  });

  it('would see a misspelled field, a wrong type and a missing one', () => {
    const deployment = structuredClone(find<V1Deployment>(base, 'Deployment', 'maps-backend'));
    const container = deployment.spec!.template.spec!.containers[0]!;
    expect(schemaFaults(deployment)).toEqual([]);
    Object.assign(container, { imagePullPolice: 'Always' });
    Object.assign(container.readinessProbe!.httpGet!, { port: undefined });
    Object.assign(deployment.spec!, { replicas: '2' });
    expect(schemaFaults(deployment)).toEqual([
      'Deployment.spec.replicas must be a number',
      'Deployment.spec.template.spec.containers[0].readinessProbe.httpGet.port is missing',
      'Deployment.spec.template.spec.containers[0].imagePullPolice is not a field of V1Container',
    ]);
    expect(schemaFaults({ apiVersion: 'policy/v1beta1', kind: 'PodDisruptionBudget' })).toHaveLength(1);
  });

  it('are links in k8s/ to what kustomize reads in k8s/base/', () => {
    for (const file of FILES) {
      expect([file, lstatSync(join(K8S, file)).isSymbolicLink()]).toEqual([file, true]);
      expect(realpathSync(join(K8S, file))).toBe(realpathSync(join(K8S, 'base', file)));
    }
    const { resources } = read('base/kustomization.yaml')[0] as unknown as { resources: string[] };
    expect(resources).toEqual(FILES);
  });
});

describe('the backend as it is deployed', () => {
  it('starts with the configuration of its manifests, once it has a token', () => {
    const variables = environment(base);
    const known = new Set(
      configParts(RUNTIMES)
        .flatMap(variablesOf)
        .map(({ name }) => name),
    );
    expect(Object.keys(variables).filter((name) => !known.has(name))).toEqual([]);
    expect(loadConfig({ ...variables, API_TOKEN: 'a-random-word-of-my-own' }, RUNTIMES)).toMatchObject({
      execution: { EXECUTION_RUNTIME: 'kubernetes' },
      runtimes: { kubernetes: { K8S_NAMESPACE: 'maps-python', K8S_DATASETS_CLAIM: 'maps-datasets' } },
    });
  });

  it('does not start with the placeholder of the token', () => {
    const { API_TOKEN } = find<V1Secret>(base, 'Secret', 'maps-api-token').stringData!;
    expect(() => loadConfig({ ...environment(base), API_TOKEN }, RUNTIMES)).toThrow(ConfigError);
    expect(() => loadConfig({ ...environment(base), API_TOKEN }, RUNTIMES)).toThrow(
      'API_TOKEN is still a placeholder',
    );
  });

  it('ships no placeholder that a job could take for a key', () => {
    expect(find<V1Secret>(base, 'Secret', 'maps-api-keys').stringData).toEqual({});
  });

  it('satisfies the Pod Security Standard that its namespace enforces', () => {
    const { labels } = find(base, 'Namespace', 'maps-python').metadata!;
    expect(labels).toMatchObject({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    expect(restrictedViolations(podOf(base))).toEqual([]);
  });

  it('is helped by a pod that satisfies it as well and sees the same volumes', () => {
    const mover = (read('data-mover.yaml')[0] as V1Pod).spec!;
    expect(restrictedViolations(mover)).toEqual([]);
    const claims = ({ volumes }: V1PodSpec) => volumes!.map((each) => each.persistentVolumeClaim?.claimName);
    expect(claims(mover)).toEqual(claims(podOf(base)).filter(Boolean));
    expect(mover.containers[0]!.image).toBe(podOf(base).containers[0]!.image);
  });

  it('sees every claim where the configuration says, and mounts what exists', () => {
    const claims = base.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(nameOf);
    expect(claims.sort()).toEqual([
      'maps-database',
      'maps-datasets',
      'maps-inputs',
      'maps-logs',
      'maps-outputs',
    ]);
    const { volumes = [], containers } = podOf(base);
    const variables = environment(base);
    const mounted = Object.fromEntries(
      containers[0]!.volumeMounts!.map(({ name, mountPath }) => [
        mountPath,
        volumes.find((volume) => volume.name === name)?.persistentVolumeClaim?.claimName,
      ]),
    );
    expect(mounted).toEqual({
      [variables.DATA_DIR!]: 'maps-database',
      [`${variables.WORKSPACE_DIR}/inputs`]: variables.K8S_INPUTS_CLAIM,
      [`${variables.WORKSPACE_DIR}/outputs`]: variables.K8S_OUTPUTS_CLAIM,
      [`${variables.WORKSPACE_DIR}/logs`]: variables.K8S_LOGS_CLAIM,
      '/data': variables.K8S_DATASETS_CLAIM,
      '/tmp': undefined,
    });
  });

  it('is what the service and the network policy select', () => {
    const labels = find<V1Deployment>(base, 'Deployment', 'maps-backend').spec!.template.metadata!.labels;
    const { selector, ports } = find<V1Service>(base, 'Service', 'maps-backend').spec!;
    expect(labels).toMatchObject(selector!);
    expect(ports).toEqual([{ name: 'http', port: 8000, targetPort: 'http' }]);
  });

  it('may do what its role lists and no more', () => {
    const { rules } = find<V1Role>(base, 'Role', 'maps-backend-role');
    expect(rules!.map(({ resources, verbs }) => [resources!.join(), ...[...verbs].sort()].join(' '))).toEqual(
      [
        'pods create delete get list patch watch',
        'configmaps create delete get list patch',
        'events list',
        'persistentvolumeclaims get',
        'namespaces get',
      ],
    );
    for (const { apiGroups } of rules!) expect(apiGroups).toEqual(['']);
    const named = rules!
      .filter(({ resourceNames }) => resourceNames)
      .map(({ resourceNames }) => resourceNames);
    expect(named).toEqual([['maps-inputs', 'maps-outputs', 'maps-logs', 'maps-datasets'], ['maps-python']]);
  });

  it('has every object in its namespace', () => {
    const elsewhere = base.filter(
      ({ kind, metadata }) => kind !== 'Namespace' && metadata?.namespace !== 'maps-python',
    );
    expect(elsewhere).toEqual([]);
  });
});

const noKubectl =
  spawnSync('kubectl', ['kustomize', '--help']).status === 0 ? undefined : 'kubectl is not here.';
describeTier('kubectl', noKubectl, () => {
  describe('what kustomize makes of', () => {
    it.each(OVERLAYS)('k8s/%s is valid and restricted', (overlay) => {
      const objects = render(overlay);
      expect(objects.flatMap(schemaFaults)).toEqual([]);
      expect(restrictedViolations(podOf(objects))).toEqual([]);
      const config = find<V1ConfigMap>(objects, 'ConfigMap', 'maps-config').data!;
      expect(() => loadConfig(config, RUNTIMES)).not.toThrow();
    });

    it('k8s/ is the files applied one by one', () => {
      const byName = (objects: KubernetesObject[]) =>
        Object.fromEntries(objects.map((each) => [`${each.kind} ${nameOf(each)}`, each]));
      expect(byName(render('.'))).toEqual(byName(base));
    });

    it('the overlays holds no secret, so that applying again keeps those of the cluster', () => {
      for (const overlay of OVERLAYS.slice(1))
        expect(render(overlay).filter(({ kind }) => kind === 'Secret')).toEqual([]);
    });

    it('production runs on many nodes', () => {
      for (const { metadata, spec } of claimsOf(render('overlays/production')))
        expect([metadata!.name, spec!.accessModes]).toEqual([
          metadata!.name,
          [metadata!.name === 'maps-database' ? 'ReadWriteOnce' : 'ReadWriteMany'],
        ]);
    });

    it('replicas keeps its jobs in PostgreSQL and never has less than one server', () => {
      const objects = render('overlays/replicas');
      const { replicas, strategy, template } = find<V1Deployment>(
        objects,
        'Deployment',
        'maps-backend',
      ).spec!;
      expect({ replicas, strategy }).toEqual({
        replicas: 2,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      });
      expect(template.spec!.containers[0]!.env).toContainEqual({
        name: 'DATABASE_URL',
        valueFrom: { secretKeyRef: { name: 'maps-database-url', key: 'DATABASE_URL' } },
      });
      expect(claimsOf(objects).map(nameOf)).not.toContain('maps-database');
      expect(template.spec!.volumes).toContainEqual({ name: 'database', emptyDir: { sizeLimit: '64Mi' } });
      expect(find<V1ConfigMap>(objects, 'ConfigMap', 'maps-config').data!.INSTALLATION_ID).toBeTruthy();
      expect(find(objects, 'PodDisruptionBudget', 'maps-backend')).toMatchObject({
        spec: { minAvailable: 1 },
      });
    });
  });
});

function render(overlay: string): KubernetesObject[] {
  expect(existsSync(join(K8S, overlay, 'kustomization.yaml'))).toBe(true);
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(K8S, overlay)], {
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return parse(stdout);
}

function find<T extends KubernetesObject>(objects: KubernetesObject[], kind: string, name: string): T {
  const found = objects.find((each) => each.kind === kind && nameOf(each) === name);
  if (!found) throw new Error(`There is no ${kind} ${name}.`);
  return found as T;
}

function nameOf(object: KubernetesObject): string {
  return object.metadata?.name ?? '';
}

function claimsOf(objects: KubernetesObject[]): V1PersistentVolumeClaim[] {
  return objects.filter(({ kind }) => kind === 'PersistentVolumeClaim');
}

function podOf(
  objects: KubernetesObject[],
): NonNullable<NonNullable<V1Deployment['spec']>['template']['spec']> {
  return find<V1Deployment>(objects, 'Deployment', 'maps-backend').spec!.template.spec!;
}

/** The backend's environment but for the token, and with a node's name. */
function environment(objects: KubernetesObject[]): Record<string, string> {
  const { data } = find<V1ConfigMap>(objects, 'ConfigMap', 'maps-config');
  const own = podOf(objects).containers[0]!.env!.filter(({ value }) => value !== undefined);
  return {
    ...data,
    ...Object.fromEntries(own.map(({ name, value }) => [name, value!])),
    NODE_NAME: 'node-1',
  };
}
