import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import {
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUrl,
  Matches,
  Max,
  Min,
} from 'class-validator';
import { MiB } from '../common/bytes.js';
import { KubernetesConfig } from './kubernetes-config.js';
import { SECRET_NAME } from './secret-names.js';
import { SecretValues } from './secret-values.js';
import { Variable } from './variable.decorator.js';

export const RUNTIME_CHOICES = ['auto', 'docker', 'kubernetes', 'process'] as const;
export type RuntimeChoice = (typeof RUNTIME_CHOICES)[number];

/** CPUs of a job that names none. */
export const DEFAULT_CPUS = 1;

/** The API shows these as GraphQL integers, which have 32 bits. */
const MAX_INT32 = 2 ** 31 - 1;

/** What manifests and examples ship where a secret belongs. */
const PLACEHOLDER = /^(replace|change)[-_]?me/i;
const ENVIRONMENT_ENTRY = /^[a-z0-9][a-z0-9-]{0,62}=\S+$/;

/**
 * Everything that can be set from outside, one property per environment variable. The class is the single source of
 * types, defaults and rules; `docs/configuration.md` is generated from it.
 */
export class AppConfig extends KubernetesConfig {
  @Variable({
    type: 'integer',
    defaultText: '8000',
    description: 'TCP port of the HTTP and WebSocket server; 0 takes a free one.',
  })
  @IsInt()
  @Min(0)
  @Max(65535)
  PORT: number = 8000;

  @Variable({
    type: 'string',
    defaultText: '127.0.0.1',
    description: 'Address to listen on; anything but loopback needs API_TOKEN or AUTH_MODE=none.',
  })
  @IsString()
  HOST: string = '127.0.0.1';

  @Variable({ type: 'string', defaultText: './data', description: 'Folder for everything the server keeps.' })
  @IsString()
  DATA_DIR: string = './data';

  @Variable({
    type: 'string',
    defaultText: '$DATA_DIR/workspaces',
    description: "Folder for the jobs' inputs, outputs and logs.",
  })
  @IsOptional()
  @IsString()
  WORKSPACE_DIR?: string;

  @Variable({
    type: 'string',
    defaultText: 'a SQLite file in DATA_DIR',
    secret: true,
    description: 'Database: `postgres://…` for PostgreSQL, `sqlite:<path>` or unset for SQLite.',
  })
  @IsOptional()
  @Matches(/^(postgres(ql)?:\/\/|sqlite:)/, { message: 'must start with postgres:// or sqlite:' })
  DATABASE_URL?: string;

  @Variable({ type: 'integer', defaultText: '10', description: 'Connections to PostgreSQL at most.' })
  @IsInt()
  @Min(1)
  @Max(1000)
  DATABASE_POOL_SIZE: number = 10;

  @Variable({
    type: 'string',
    defaultText: 'auto',
    description: 'Where jobs run: `docker`, `kubernetes`, `process`, or `auto` to use what answers.',
  })
  @IsIn(RUNTIME_CHOICES)
  EXECUTION_RUNTIME: RuntimeChoice = 'auto';

  @Variable({
    type: 'string',
    defaultText: 'py-exec:latest',
    description: 'Image of the environment `default`.',
  })
  @Matches(/^\S+$/, { message: 'must be an image reference' })
  RUNNER_IMAGE: string = 'py-exec:latest';

  @Variable({
    type: 'map',
    defaultText: 'none',
    description: 'More environments a job may name, as `name=image,…`; only listed images ever run.',
  })
  @IsArray()
  @Matches(ENVIRONMENT_ENTRY, {
    each: true,
    message: 'each entry must be name=image, the name of a-z, 0-9 and -',
  })
  RUNNER_ENVIRONMENTS: string[] = [];

  @Variable({
    type: 'string',
    defaultText: 'bubblewrap',
    description: 'Sandbox of the process runtime; `none` runs scripts unprotected.',
  })
  @IsIn(['bubblewrap', 'none'])
  PROCESS_ISOLATION: 'bubblewrap' | 'none' = 'bubblewrap';

  @Variable({
    type: 'string',
    defaultText: 'python3',
    description: 'Python interpreter of the process runtime.',
  })
  @IsString()
  PROCESS_PYTHON: string = 'python3';

  @Variable({
    type: 'string',
    defaultText: "the client library's: /var/run/docker.sock",
    description: 'Docker engine: `unix:///path` or `tcp://host:port`.',
  })
  @IsOptional()
  @Matches(/^(unix|tcp|http|https):\/\/\S+$/, { message: 'must be unix:///path or tcp://host:port' })
  DOCKER_HOST?: string;

  @Variable({
    type: 'string',
    defaultText: 'DATA_DIR itself',
    description: "Where DATA_DIR is on the Docker engine's host, when the server itself runs in a container.",
  })
  @IsOptional()
  @IsString()
  DOCKER_HOST_DATA_DIR?: string;

  @Variable({
    type: 'string',
    defaultText: "the engine's default",
    description: 'OCI runtime of job containers, for example `runsc`.',
  })
  @IsOptional()
  @IsString()
  DOCKER_RUNTIME?: string;

  @Variable({
    type: 'integer',
    defaultText: 'twice the CPU count',
    description: 'Jobs that run at the same time on this replica.',
  })
  @IsInt()
  @Min(1)
  @Max(10_000)
  MAX_CONCURRENT_JOBS: number = availableParallelism() * 2;

  @Variable({
    type: 'string',
    defaultText: 'none',
    description:
      'Name of this server among several on one database, which stays the same when it restarts: it then takes its own jobs over at once instead of waiting for their leases. No two servers may have the same.',
  })
  @IsOptional()
  @Matches(/^[A-Za-z0-9.-]{1,63}$/, { message: 'must be of letters, digits, dots and hyphens' })
  REPLICA_NAME?: string;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '300',
    description:
      'How long a job whose server is gone waits for one that reaches its engine, before another one calls it LOST.',
  })
  @IsInt()
  @Min(0)
  LOST_AFTER_SECONDS: number = 300;

  @Variable({
    type: 'integer',
    defaultText: '10000',
    description: 'Jobs that may wait; more are refused with QUEUE_FULL.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_QUEUED_JOBS: number = 10_000;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '600',
    description: 'Time limit of a job that names none.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  DEFAULT_TIMEOUT_SECONDS: number = 600;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '86400',
    description: 'Largest time limit a job may ask for.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_TIMEOUT_SECONDS: number = 86_400;

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '10',
    description: 'Time between SIGTERM and SIGKILL when a job is stopped.',
  })
  @IsInt()
  @Min(0)
  @Max(600)
  STOP_GRACE_SECONDS: number = 10;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '1024',
    description: 'Memory limit of a job that names none.',
  })
  @IsInt()
  @Min(16)
  @Max(MAX_INT32)
  DEFAULT_MEMORY_MB: number = 1024;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '16384',
    description: 'Largest memory limit a job may ask for.',
  })
  @IsInt()
  @Min(16)
  @Max(MAX_INT32)
  MAX_MEMORY_MB: number = 16_384;

  @Variable({
    type: 'integer',
    unit: 'CPUs',
    defaultText: '16',
    description: 'Largest CPU limit a job may ask for.',
  })
  @IsInt()
  @Min(1)
  @Max(MAX_INT32)
  MAX_CPUS: number = 16;

  @Variable({
    type: 'integer',
    unit: 'processes',
    defaultText: '256',
    description: 'Processes and threads one job may have.',
  })
  @IsInt()
  @Min(8)
  @Max(MAX_INT32)
  MAX_PIDS: number = 256;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '67108864',
    description: "Size of a job's log; what is beyond is dropped and counted, its last 256 KiB kept.",
  })
  @IsInt()
  @Min(64 * 1024)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_LOG_BYTES: number = 64 * MiB;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '1073741824',
    description: "Size of a job's outputs; a job beyond it is stopped with DISK_LIMIT.",
  })
  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_OUTPUT_BYTES: number = 1024 * MiB;

  @Variable({
    type: 'integer',
    unit: 'files',
    defaultText: '10000',
    description: 'Output files kept of one job; the rest is named in skippedOutputs.',
  })
  @IsInt()
  @Min(1)
  MAX_OUTPUT_FILES: number = 10_000;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '268435456',
    description: 'Size of the temporary folder /tmp of a job, which counts as its memory.',
  })
  @IsInt()
  @Min(1024 * 1024)
  @Max(Number.MAX_SAFE_INTEGER)
  MAX_TMP_BYTES: number = 256 * MiB;

  @Variable({
    type: 'integer',
    unit: 'MiB',
    defaultText: '256',
    description:
      'Room that must be free on the disks of DATA_DIR and WORKSPACE_DIR: with less, no new job is taken (STORAGE_FULL); 0 looks at no disk.',
  })
  @IsInt()
  @Min(0)
  @Max(MAX_INT32)
  MIN_FREE_DISK_MB: number = 256;

  @Variable({
    type: 'integer',
    unit: 'days',
    defaultText: '30',
    description: 'How long finished jobs are kept, with their logs and outputs; 0 keeps them for ever.',
  })
  @IsInt()
  @Min(0)
  @Max(36_500)
  JOB_RETENTION_DAYS: number = 30;

  @Variable({
    type: 'integer',
    unit: 'jobs',
    defaultText: '0',
    description: 'Finished jobs that are kept; the oldest ones beyond are deleted; 0 sets no bound.',
  })
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  JOB_RETENTION_MAX_JOBS: number = 0;

  @Variable({
    type: 'integer',
    unit: 'bytes',
    defaultText: '0',
    description:
      'Size of the outputs and logs of all finished jobs together; beyond it the oldest jobs are deleted; 0 sets no bound.',
  })
  @IsInt()
  @Min(0)
  @Max(Number.MAX_SAFE_INTEGER)
  JOB_RETENTION_MAX_BYTES: number = 0;

  @Variable({
    type: 'boolean',
    defaultText: 'true',
    description: 'Whether a job may ask for network INTERNET.',
  })
  @IsBoolean()
  ALLOW_INTERNET: boolean = true;

  @Variable({
    type: 'list',
    defaultText: 'GOOGLE_API_KEY,OPENAI_API_KEY',
    description:
      'Names of the secrets a job may ask for; the value of each is in the variable of that name, or in the file that `<name>_FILE` names. On kubernetes it is in K8S_SECRET_NAME instead.',
  })
  @IsArray()
  @ArrayUnique({ message: 'must name each secret once' })
  @Matches(SECRET_NAME, { each: true, message: 'each must be of letters, digits and underscores' })
  JOB_SECRETS: string[] = ['GOOGLE_API_KEY', 'OPENAI_API_KEY'];

  /** Of those in JOB_SECRETS that this server was given. */
  secretValues: SecretValues = new SecretValues();

  @Variable({
    type: 'string',
    defaultText: 'none',
    secret: true,
    description: 'Bearer token that callers must present.',
  })
  @IsOptional()
  @Matches(/^(?!(replace|change)[-_]?me)\S{16,}$/i, {
    message: ({ value }) =>
      PLACEHOLDER.test(String(value))
        ? 'is still a placeholder: set a random word of your own, such as `openssl rand -hex 32` prints'
        : 'must be at least 16 characters without spaces',
  })
  API_TOKEN?: string;

  @Variable({
    type: 'string',
    defaultText: 'token',
    description: '`token` asks for API_TOKEN when one is set; `none` lets everybody in, on any address.',
  })
  @IsIn(['token', 'none'])
  AUTH_MODE: 'token' | 'none' = 'token';

  @Variable({
    type: 'list',
    defaultText: 'same origin only',
    description: 'Origins of web pages that may connect, as `https://host,…`.',
  })
  @IsArray()
  @IsUrl(
    { require_tld: false, protocols: ['http', 'https'] },
    { each: true, message: 'each must be an origin like https://maps.example' },
  )
  ALLOWED_ORIGINS: string[] = [];

  @Variable({
    type: 'list',
    defaultText: 'loopback names and HOST; any when API_TOKEN is set',
    description:
      'Host names under which the server is reached; a request with another Host header is refused.',
  })
  @IsArray()
  @IsString({ each: true })
  ALLOWED_HOSTS: string[] = [];

  @Variable({
    type: 'boolean',
    defaultText: 'true',
    description: 'Whether GraphQL introspection is answered.',
  })
  @IsBoolean()
  GRAPHQL_INTROSPECTION: boolean = true;

  @Variable({
    type: 'string',
    defaultText: 'made at first start, kept in DATA_DIR',
    description: 'Name that marks this installation’s containers and pods as its own.',
  })
  @IsOptional()
  @Matches(/^[a-z0-9][a-z0-9-]{0,62}$/, { message: 'must be of a-z, 0-9 and -, at most 63 characters' })
  INSTALLATION_ID?: string;

  @Variable({
    type: 'string',
    defaultText: 'info',
    description: 'Least important level that is logged: fatal, error, warn, info, debug, trace or silent.',
  })
  @IsIn(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
  LOG_LEVEL: string = 'info';

  @Variable({
    type: 'string',
    defaultText: 'development',
    description: '`production` refuses choices that are only fit for development.',
  })
  @IsString()
  NODE_ENV: string = 'development';

  /** Set by Kubernetes in every pod; its presence is how `auto` knows that it runs in a cluster. */
  @IsOptional()
  @IsString()
  KUBERNETES_SERVICE_HOST?: string;

  /** Absolute folder of everything the server keeps. */
  get dataDir(): string {
    return resolve(this.DATA_DIR);
  }

  /** Absolute folder that holds `inputs/`, `outputs/` and `logs/`. */
  get workspaceDir(): string {
    return this.WORKSPACE_DIR ? resolve(this.WORKSPACE_DIR) : join(this.dataDir, 'workspaces');
  }

  /** Every environment a job may name, with its image; `default` first. */
  get environments(): ReadonlyMap<string, string> {
    const listed = this.RUNNER_ENVIRONMENTS.map((entry): [string, string] => {
      const at = entry.indexOf('=');
      return [entry.slice(0, at), entry.slice(at + 1)];
    });
    return new Map([['default', this.RUNNER_IMAGE], ...listed]);
  }

  /** The image of an environment; the default one's for a job whose environment is not configured any more. */
  imageOf(environment: string): string {
    return this.environments.get(environment) ?? this.RUNNER_IMAGE;
  }

  get isLoopback(): boolean {
    return /^(127\.\d+\.\d+\.\d+|::1|localhost)$/.test(this.HOST);
  }

  get isProduction(): boolean {
    return this.NODE_ENV === 'production';
  }
}
