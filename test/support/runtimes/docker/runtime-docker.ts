import type Docker from 'dockerode';
import type { DockerHandle } from '../../../../src/runtime/docker/docker.runtime.js';
import { probeDocker } from '../../../../src/runtime/docker/probe-docker.js';
import { toContainerConfig } from '../../../../src/runtime/docker/to-container-config.js';
import { decodeHandle, encodeHandle } from '../../../../src/runtime/handle.js';
import type { WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import { runnerUser } from '../../../../src/workspace/runner-user.js';
import type { RuntimeHooks } from '../runtime-bench.js';

/** Why containers cannot be tested on this machine, or undefined when they can. */
export async function whyNoDocker(image: string): Promise<string | undefined> {
  const { fits, reason } = await probeDocker({ image });
  return fits ? undefined : reason;
}

/** Does to containers what an operator with the engine's own tools may do. */
export class DockerBackdoor implements RuntimeHooks {
  constructor(
    private readonly docker: Docker,
    private readonly installationId: string,
  ) {}

  async makeWithoutStart(spec: WorkloadSpec): Promise<string> {
    const placement = { dataDir: '/', installationId: this.installationId };
    const { name, config } = toContainerConfig(spec, placement, runnerUser());
    const { id } = await this.docker.createContainer({ ...config, name });
    const { ID: scope } = (await this.docker.info()) as { ID: string };
    return encodeHandle<DockerHandle>({ v: 1, runtime: 'docker', scope, id, name });
  }

  async removeBehind(handle: string): Promise<void> {
    const { id } = decodeHandle<DockerHandle>(handle, 'docker')!;
    await this.docker.getContainer(id).remove({ force: true });
  }

  /** What `docker inspect`, `docker top` and `docker logs` show. */
  async describe(handle: string): Promise<string> {
    const container = this.docker.getContainer(decodeHandle<DockerHandle>(handle, 'docker')!.id);
    const answers = await Promise.all([container.inspect(), container.top({ ps_args: 'auxeww' })]);
    const log = await container.logs({ stdout: true, stderr: true });
    return [...answers.map((answer) => JSON.stringify(answer)), log.toString()].join('\n');
  }

  async leftovers(): Promise<string[]> {
    const filters = { label: [`io.maps-python.installation=${this.installationId}`] };
    const containers = await this.docker.listContainers({ all: true, filters });
    return containers.map((each) => `container ${each.Names.join()} (${each.State})`);
  }
}
