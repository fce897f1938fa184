import { join } from 'node:path';
import { listContainers, removeContainers } from '../../../tools/engine.mjs';
import { atEnd } from '../../../tools/cleanup.mjs';
import { FaultyProxy } from '../world/faulty-proxy.mjs';

/** Jobs in containers, with a socket between server and engine that can fail while the engine itself is left alone. */
export async function dockerRuntime({ installation, folder }) {
  const label = `io.maps-python.installation=${installation}`;
  const path = join(folder, 'engine.sock');
  const engine = new FaultyProxy(engineAddress);
  await engine.listen(path);
  atEnd(() => engine.close());
  return {
    variables: { DOCKER_HOST: `unix://${path}` },
    engine,
    leftovers: async () => (await listContainers(label)).map((id) => `container ${id.slice(0, 12)}`),
    removeAll: () => removeContainers(label),
  };
}

function engineAddress() {
  const url = new URL(process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock');
  return url.protocol === 'unix:' ? { path: url.pathname } : { host: url.hostname, port: Number(url.port) };
}
