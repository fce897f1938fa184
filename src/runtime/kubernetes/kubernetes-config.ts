import { IsArray, IsBoolean, IsIn, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import { MAX_INT32 } from '../../config/int32.js';
import { Variable } from '../../config/variable.decorator.js';

/** A name as Kubernetes takes it for claims, secrets, classes: RFC 1123. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const OBJECT_NAME_RULE = { message: 'must be the name of a Kubernetes object: a-z, 0-9, - and .' };
/** `key=value` as labels have them. */
const LABEL_ENTRY =
  /^([a-z0-9.-]+\/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?=([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/;

/** What can be set of the kubernetes runtime. */
export class KubernetesConfig {
  static readonly title = 'The kubernetes runtime';

  @Variable({
    type: 'string',
    defaultText: 'the pod’s own service account, else ~/.kube/config',
    description: 'Kubeconfig file of a server that runs outside the cluster.',
  })
  @IsOptional()
  @IsString()
  KUBECONFIG?: string;

  @Variable({ type: 'string', defaultText: 'maps-python', description: 'Namespace of runner pods.' })
  @Matches(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, { message: 'must be a DNS label' })
  K8S_NAMESPACE: string = 'maps-python';

  @Variable({
    type: 'string',
    defaultText: 'maps-inputs',
    description: 'Claim that this server sees as `inputs/` in WORKSPACE_DIR.',
  })
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_INPUTS_CLAIM: string = 'maps-inputs';

  @Variable({
    type: 'string',
    defaultText: 'maps-outputs',
    description: 'Claim that this server sees as `outputs/` in WORKSPACE_DIR.',
  })
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_OUTPUTS_CLAIM: string = 'maps-outputs';

  @Variable({
    type: 'string',
    defaultText: 'maps-logs',
    description: 'Claim that this server sees as `logs/` in WORKSPACE_DIR.',
  })
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_LOGS_CLAIM: string = 'maps-logs';

  @Variable({
    type: 'string',
    defaultText: 'none',
    description: 'Claim with reference data, mounted read-only at `/data` in every job.',
  })
  @IsOptional()
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_DATASETS_CLAIM?: string;

  @Variable({
    type: 'string',
    defaultText: 'maps-api-keys',
    description: 'Secret whose keys are the values of JOB_SECRETS.',
  })
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_SECRET_NAME: string = 'maps-api-keys';

  @Variable({
    type: 'string',
    defaultText: 'none',
    description:
      'Node of this server, by the downward API; jobs run there too when a claim can be mounted by one node only.',
  })
  @IsOptional()
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  NODE_NAME?: string;

  @Variable({
    type: 'string',
    defaultText: 'IfNotPresent',
    description: 'When nodes fetch the runner image: `Always`, `IfNotPresent` or `Never`.',
  })
  @IsIn(['Always', 'IfNotPresent', 'Never'])
  K8S_IMAGE_PULL_POLICY: 'Always' | 'IfNotPresent' | 'Never' = 'IfNotPresent';

  @Variable({
    type: 'list',
    defaultText: 'none',
    description: 'Secrets with which nodes fetch the runner image from a private registry.',
  })
  @IsArray()
  @Matches(OBJECT_NAME, { each: true, ...OBJECT_NAME_RULE })
  K8S_IMAGE_PULL_SECRETS: string[] = [];

  @Variable({
    type: 'string',
    defaultText: "the cluster's default",
    description: 'RuntimeClass of runner pods, for example one of gVisor or Kata Containers.',
  })
  @IsOptional()
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_RUNTIME_CLASS?: string;

  @Variable({
    type: 'boolean',
    defaultText: "the cluster's default",
    description:
      '`false` gives runner pods a user namespace of their own (`hostUsers: false`, Kubernetes 1.33 or later).',
  })
  @IsOptional()
  @IsBoolean()
  K8S_HOST_USERS?: boolean;

  @Variable({
    type: 'map',
    defaultText: 'none',
    description: 'Labels that a node must have to run jobs, as `label=value,…`.',
  })
  @IsArray()
  @Matches(LABEL_ENTRY, { each: true, message: 'each entry must be label=value' })
  K8S_NODE_SELECTOR: string[] = [];

  @Variable({
    type: 'json',
    defaultText: '[]',
    description: 'Tolerations of runner pods, as a JSON list in Kubernetes’ own form.',
  })
  @IsArray({ message: 'must be a JSON list' })
  K8S_TOLERATIONS: object[] = [];

  @Variable({ type: 'string', defaultText: 'none', description: 'Priority class of runner pods.' })
  @IsOptional()
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_PRIORITY_CLASS?: string;

  @Variable({
    type: 'string',
    defaultText: 'none',
    description: 'Kueue’s local queue for runner pods, which then decides when they may be scheduled.',
  })
  @IsOptional()
  @Matches(OBJECT_NAME, OBJECT_NAME_RULE)
  K8S_QUEUE_NAME?: string;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '300',
    description:
      'How long a pod may take until its script runs: waiting for a node, fetching the image, mounting. Raise it for Kueue.',
  })
  @IsInt()
  @Min(10)
  @Max(604_800)
  K8S_START_TIMEOUT_SECONDS: number = 300;

  @Variable({
    type: 'integer',
    unit: 'percent',
    defaultText: '25',
    description: 'Share of its CPU limit that a pod requests; the memory it requests is its whole limit.',
  })
  @IsInt()
  @Min(1)
  @Max(100)
  K8S_CPU_REQUEST_PERCENT: number = 25;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '256',
    description: 'Disk of the node that a pod may use besides the claims: its own log, mostly.',
  })
  @IsInt()
  @Min(16)
  @Max(MAX_INT32)
  K8S_EPHEMERAL_STORAGE_MB: number = 256;

  @Variable({
    type: 'boolean or auto',
    defaultText: 'auto',
    description:
      'Whether the network of this cluster enforces `k8s/network-policy.yaml`: `auto` tries it with a pod; with `true` a job with network NONE does not start unless its runner has seen it; with `false` nobody tries.',
  })
  @IsIn(['auto', true, false], { message: 'must be auto, true or false' })
  K8S_NETWORK_POLICY: boolean | 'auto' = 'auto';

  @Variable({
    type: 'string',
    defaultText: 'set by Kubernetes in every pod',
    description: 'Its presence is how `auto` knows that the server runs in a cluster.',
  })
  @IsOptional()
  @IsString()
  KUBERNETES_SERVICE_HOST?: string;
}
