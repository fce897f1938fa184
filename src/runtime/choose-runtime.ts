import { AppError, messageOf } from '../common/app-error.js';
import { Backoff } from '../common/abort.js';
import type { Log } from '../common/log.js';
import type { AppConfig } from '../config/app-config.js';
import type { DockerOptions } from './docker/docker-options.js';
import type { ProcessRuntimeOptions } from './process/process-options.js';
import type { RuntimeProvider } from './runtime-provider.js';
import { WorkspaceLayout } from '../workspace/workspace-layout.js';
import { WorkspaceMaker } from '../workspace/workspace-maker.js';
import { storageFault } from './kubernetes/probes/storage-probe.js';
import { toKubernetesOptions } from './kubernetes/to-kubernetes-options.js';
import { RuntimeUnavailableError } from './runtime.errors.js';

export interface RuntimeChoice {
  runtime: RuntimeProvider;
  /** Why this one: a sentence, printed at start and shown by `service`. */
  reason: string;
}

/** How long a start waits for an engine that was asked for by name. */
const ENGINE_PATIENCE_MS = 30_000;

/**
 * Makes the runtime that the configuration asks for; with `auto`, the best that answers. A runtime's client library is
 * imported only when it may be chosen. Throws with a sentence that says what mends it.
 */
export async function chooseRuntime(
  config: AppConfig,
  installationId: string,
  log: Log,
): Promise<RuntimeChoice> {
  switch (config.EXECUTION_RUNTIME) {
    case 'docker':
      return {
        runtime: await patiently(() => makeDocker(config, installationId, log), log),
        reason: 'EXECUTION_RUNTIME=docker',
      };
    case 'process':
      return { runtime: await makeProcess(config, installationId, log), reason: 'EXECUTION_RUNTIME=process' };
    case 'kubernetes':
      return {
        runtime: await patiently(() => makeKubernetes(config, installationId, log), log),
        reason: 'EXECUTION_RUNTIME=kubernetes',
      };
    case 'auto':
      return chooseByItself(config, installationId, log);
  }
}

async function chooseByItself(config: AppConfig, installationId: string, log: Log): Promise<RuntimeChoice> {
  if (config.KUBERNETES_SERVICE_HOST) {
    return {
      runtime: await patiently(() => makeKubernetes(config, installationId, log), log),
      reason: 'The server runs in a Kubernetes cluster.',
    };
  }
  const { probeDocker } = await import('./docker/probe-docker.js');
  const docker = await probeDocker({ dockerHost: config.DOCKER_HOST, image: config.RUNNER_IMAGE });
  if (docker.ok) return { runtime: await makeDocker(config, installationId, log), reason: docker.reason };
  if (config.isProduction) {
    throw new AppError(
      'RUNTIME_UNAVAILABLE',
      `${docker.reason} In production the process runtime must be asked for: EXECUTION_RUNTIME=process.`,
    );
  }
  return {
    runtime: await makeProcess(config, installationId, log),
    reason: `${docker.reason} Jobs run as local processes.`,
  };
}

async function makeDocker(config: AppConfig, installationId: string, log: Log): Promise<RuntimeProvider> {
  const { createDockerRuntime } = await import('./docker/docker.runtime.js');
  const options: DockerOptions = {
    dockerHost: config.DOCKER_HOST,
    dataDir: config.dataDir,
    hostDataDir: config.DOCKER_HOST_DATA_DIR,
    ociRuntime: config.DOCKER_RUNTIME,
    installationId,
    secrets: config.secretValues,
    logger: toRuntimeLogger(log, 'docker'),
  };
  return createDockerRuntime(options);
}

async function makeProcess(config: AppConfig, installationId: string, log: Log): Promise<RuntimeProvider> {
  const { createProcessRuntime } = await import('./process/process.runtime.js');
  const options: ProcessRuntimeOptions = {
    dataDir: config.dataDir,
    isolation: config.PROCESS_ISOLATION,
    python: config.PROCESS_PYTHON,
    installationId,
    secrets: config.secretValues,
    logger: toRuntimeLogger(log, 'process'),
  };
  return createProcessRuntime(options);
}

async function makeKubernetes(config: AppConfig, installationId: string, log: Log): Promise<RuntimeProvider> {
  const { createKubernetesRuntime } = await import('./kubernetes/kubernetes.runtime.js');
  const options = toKubernetesOptions(config, installationId, toRuntimeLogger(log, 'kubernetes'));
  const runtime = await createKubernetesRuntime(options);
  const workspaces = new WorkspaceMaker(new WorkspaceLayout(config));
  const { claims, probeImage, logger } = options;
  const fault = runtime.isInside
    ? undefined
    : await storageFault(runtime, workspaces, claims, probeImage, logger);
  if (fault !== undefined) {
    await runtime.close();
    throw new AppError('RUNTIME_UNAVAILABLE', `The server runs outside the cluster. ${fault}`);
  }
  // Beside the start: a pod takes a second or more, and jobs need not wait for it.
  runtime.watchNetwork(workspaces);
  return runtime;
}

/** Docker often starts beside this server: wait for it a while before giving up. */
async function patiently(make: () => Promise<RuntimeProvider>, log: Log): Promise<RuntimeProvider> {
  const giveUp = AbortSignal.timeout(ENGINE_PATIENCE_MS);
  const backoff = new Backoff(500, 5_000);
  for (;;) {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof RuntimeUnavailableError) || giveUp.aborted) throw error;
      log.warn({ err: messageOf(error) }, 'the engine does not answer yet; waiting for it');
      await backoff.wait(giveUp);
    }
  }
}

function toRuntimeLogger(
  log: Log,
  runtime: string,
): { info(message: string): void; warn(message: string): void } {
  return {
    info: (message) => log.info({ runtime }, message),
    warn: (message) => log.warn({ runtime }, message),
  };
}
