// Whether a Docker engine with the runner image is here, asked without any library: nothing is installed yet.
import { request } from 'node:http';

const SOCKET = '/var/run/docker.sock';
const TIMEOUT_MS = 3_000;

/** Why no container can be started here, as the rest of a sentence; undefined when one can, or when only trying tells. */
export async function whyNoContainers(image) {
  const host = process.env.DOCKER_HOST ?? `unix://${SOCKET}`;
  if (!host.startsWith('unix://')) return undefined;
  const socketPath = host.slice('unix://'.length);
  const status = await statusOf(socketPath, `/images/${encodeURIComponent(image)}/json`);
  if (status === 200) return undefined;
  if (status === 404)
    return `Docker answers, but the runner image is not built: docker build --target latest -t ${image} runner-image.`;
  return `no Docker engine answers at ${socketPath}.`;
}

function statusOf(socketPath, path) {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.once('timeout', () => call.destroy());
    call.once('error', () => resolve(undefined));
    call.end();
  });
}
