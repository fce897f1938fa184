import { Agent, request } from 'node:http';

/**
 * The Docker engine's own API with nothing in between: what the baselines are made of, and therefore as fast as it goes.
 */
const SOCKET = (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace(/^unix:\/\//, '');
/** Marks the containers that a baseline made. */
export const BENCH_LABEL = 'io.maps-python.bench';
const agent = new Agent({ keepAlive: true });

function call(method, path, body, accepted = []) {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? '' : JSON.stringify(body);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) };
    const sent = request({ socketPath: SOCKET, agent, method, path, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const isFine = response.statusCode < 400 || accepted.includes(response.statusCode);
        if (isFine) resolve(text && response.statusCode < 400 ? JSON.parse(text) : undefined);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}

export async function createContainer(config) {
  const labels = { ...config.Labels, [BENCH_LABEL]: '1' };
  return (await call('POST', '/containers/create', { ...config, Labels: labels })).Id;
}

export function startContainer(id) {
  return call('POST', `/containers/${id}/start`);
}

export async function waitForContainer(id) {
  return (await call('POST', `/containers/${id}/wait`)).StatusCode;
}

export function removeContainer(id) {
  return call('DELETE', `/containers/${id}?force=true&v=true`, undefined, [404, 409]);
}

/** Opens the stream of what the container prints; resolves once the engine listens, so that nothing can be missed. */
export function attach(id) {
  return new Promise((resolve, reject) => {
    const sent = request({
      socketPath: SOCKET,
      method: 'POST',
      path: `/containers/${id}/attach?stream=1&stdout=1&stderr=1`,
      headers: { connection: 'Upgrade', upgrade: 'tcp' },
    });
    sent.on('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.on('response', (response) => reject(new Error(`attach: ${response.statusCode}`)));
    sent.on('error', reject);
    sent.end();
  });
}

export async function listContainers(label) {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
  return (await call('GET', `/containers/json?all=1&filters=${filters}`)).map((each) => each.Id);
}

/** The id on this machine of the container's first process. */
export async function pidOfContainer(id) {
  return (await call('GET', `/containers/${id}/json`)).State.Pid;
}

export async function removeContainers(label) {
  for (const id of await listContainers(label)) await removeContainer(id);
}

export async function engineVersion() {
  const { Version, ApiVersion, Os, Arch } = await call('GET', '/version');
  return `${Version} (API ${ApiVersion}, ${Os}/${Arch})`;
}
