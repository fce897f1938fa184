// What the backend's service account may do: asked of the cluster, for everything it should and for all that it should not.
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { expect } from './checks.mjs';
import { must } from './commands.mjs';

export const NAMESPACE = 'maps-python';
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:maps-backend-sa`;

/** By resource, as in k8s/rbac.yaml; with names: of these objects only. */
const ALLOWED = {
  pods: { verbs: ['create', 'get', 'list', 'watch', 'delete', 'patch'] },
  configmaps: { verbs: ['create', 'get', 'list', 'delete', 'patch'] },
  events: { verbs: ['list'] },
  persistentvolumeclaims: {
    verbs: ['get'],
    names: ['maps-inputs', 'maps-outputs', 'maps-logs', 'maps-datasets'],
  },
  namespaces: { verbs: ['get'], names: [NAMESPACE] },
};

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const RESOURCES = {
  '': [
    'pods',
    'pods/attach',
    'pods/ephemeralcontainers',
    'pods/eviction',
    'pods/exec',
    'pods/log',
    'pods/portforward',
    'pods/proxy',
    'pods/status',
    'bindings',
    'configmaps',
    'endpoints',
    'events',
    'limitranges',
    'namespaces',
    'nodes',
    'nodes/proxy',
    'persistentvolumeclaims',
    'persistentvolumes',
    'podtemplates',
    'replicationcontrollers',
    'resourcequotas',
    'secrets',
    'serviceaccounts',
    'serviceaccounts/token',
    'services',
    'services/proxy',
  ],
  apps: [
    'controllerrevisions',
    'daemonsets',
    'deployments',
    'deployments/scale',
    'replicasets',
    'statefulsets',
  ],
  batch: ['cronjobs', 'jobs'],
  autoscaling: ['horizontalpodautoscalers'],
  'coordination.k8s.io': ['leases'],
  'networking.k8s.io': ['ingresses', 'networkpolicies'],
  policy: ['poddisruptionbudgets'],
  'rbac.authorization.k8s.io': ['clusterrolebindings', 'clusterroles', 'rolebindings', 'roles'],
  'storage.k8s.io': ['storageclasses', 'volumeattachments'],
  'admissionregistration.k8s.io': ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
  'apiextensions.k8s.io': ['customresourcedefinitions'],
  'certificates.k8s.io': ['certificatesigningrequests'],
};
/** Verbs that only some resources know, and that lead to more rights. */
const SPECIAL = [
  { verb: 'impersonate', group: '', resource: 'users' },
  { verb: 'impersonate', group: '', resource: 'groups' },
  { verb: 'impersonate', group: '', resource: 'serviceaccounts' },
  { verb: 'escalate', group: 'rbac.authorization.k8s.io', resource: 'roles' },
  { verb: 'bind', group: 'rbac.authorization.k8s.io', resource: 'roles' },
  { verb: 'bind', group: 'rbac.authorization.k8s.io', resource: 'clusterroles' },
  { verb: '*', group: '*', resource: '*' },
];
const AT_ONCE = 20;

/** The command that people use. */
export async function checkCanI(verb, resource) {
  const answer = await must('kubectl', ['auth', 'can-i', verb, resource, `--as=${ACCOUNT}`, '-n', NAMESPACE]);
  expect(answer === 'yes', answer);
}

export async function checkAllowed() {
  const questions = Object.entries(ALLOWED).flatMap(([resource, { verbs, names = [undefined] }]) =>
    verbs.flatMap((verb) => names.map((name) => ({ group: '', resource, verb, name, namespace: NAMESPACE }))),
  );
  const refused = await ask(questions, false);
  expect(refused.length === 0, `refused, but needed: ${refused.join('; ')}`);
  return `${questions.length} rights`;
}

/** Everything else: here, in other namespaces and in the whole cluster. */
export async function checkRefused() {
  const asked = [
    ...Object.entries(RESOURCES).flatMap(([group, resources]) =>
      resources.flatMap((resource) => VERBS.map((verb) => ({ group, resource, verb }))),
    ),
    ...SPECIAL,
  ];
  const questions = [NAMESPACE, 'default', 'kube-system', ''].flatMap((namespace) =>
    asked
      .filter(({ group, resource, verb }) => !(namespace === NAMESPACE && isRight(group, resource, verb)))
      .map((each) => ({ ...each, namespace })),
  );
  // Objects of a kind that it may read by name, but others.
  for (const namespace of [NAMESPACE, 'default']) {
    questions.push({ group: '', resource: 'persistentvolumeclaims', verb: 'get', name: 'others', namespace });
    questions.push({ group: '', resource: 'secrets', verb: 'get', name: 'maps-api-keys', namespace });
  }
  questions.push({ group: '', resource: 'namespaces', verb: 'get', name: 'default', namespace: 'default' });
  const granted = await ask(questions, true);
  expect(granted.length === 0, `granted, but not needed: ${granted.join('; ')}`);
  return `${questions.length} questions, all answered no`;
}

function isRight(group, resource, verb) {
  const right = group === '' ? ALLOWED[resource] : undefined;
  return right !== undefined && right.names === undefined && right.verbs.includes(verb);
}

/** The questions that were answered with `answer`, in words. */
async function ask(questions, answer) {
  const proxy = spawn('kubectl', ['proxy', '--port=0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [line] = await once(proxy.stdout.setEncoding('utf8'), 'data');
    const url = `http://${/127\.0\.0\.1:\d+/.exec(line)[0]}/apis/authorization.k8s.io/v1/subjectaccessreviews`;
    const found = [];
    const left = [...questions];
    const worker = async () => {
      for (let each = left.pop(); each; each = left.pop()) {
        if ((await isAllowed(url, each)) === answer) found.push(inWords(each));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    return found;
  } finally {
    proxy.kill();
  }
}

async function isAllowed(url, { group, resource: path, verb, name, namespace }) {
  const [resource, subresource] = path.split('/');
  const resourceAttributes = { group, resource, subresource, verb, name, namespace };
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      spec: { user: ACCOUNT, groups: groups(), resourceAttributes },
    }),
    signal: AbortSignal.timeout(20_000),
  });
  const { status, message } = await response.json();
  if (!response.ok) throw new Error(`The cluster does not answer what is allowed: ${message}`);
  return status.allowed;
}

/** Those of every service account: what they may do, it may do too. */
function groups() {
  return ['system:serviceaccounts', `system:serviceaccounts:${NAMESPACE}`, 'system:authenticated'];
}

function inWords({ group, resource, verb, name = '', namespace }) {
  return `${verb} ${resource}${group ? `.${group}` : ''} ${name} ${namespace || '(whole cluster)'}`;
}
