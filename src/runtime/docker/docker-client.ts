import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { inspect } from 'node:util';
import Docker from 'dockerode';

/** A client of the engine and the agent that holds its connections. Made by a factory, never at import. */
export interface DockerClient {
  docker: Omit<Docker, keyof WithSignals> & WithSignals;
  close(): void;
}

/** What the library has and its types leave out. */
interface Modem {
  protocol: string;
  agent?: HttpAgent;
}

interface WithSignals {
  info(options: { abortSignal: AbortSignal }): Promise<unknown>;
  ping(options: { abortSignal: AbortSignal }): Promise<unknown>;
}

/**
 * One connection per request: an engine, or a proxy before it, that closes idle connections would otherwise fail a
 * request at random, and on a socket of the same machine a new connection costs nothing that can be measured.
 */
export function createDockerClient(dockerHost: string | undefined): DockerClient {
  const docker = new Docker(dockerHost === undefined ? {} : toClientOptions(dockerHost));
  const modem = docker.modem as unknown as Modem;
  const agent = modem.protocol === 'https' ? new HttpsAgent() : new HttpAgent();
  modem.agent = withoutInsides(agent);
  return { docker, close: () => agent.destroy() };
}

/**
 * The library renders the options of every request for its debug log, whether or not that is on, agent and open sockets
 * included: measured, 140 ms of CPU for one job among sixteen.
 */
function withoutInsides<T extends HttpAgent>(agent: T): T {
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
}

/**
 * Every key is named, so that what the library finds in the environment's own DOCKER_HOST cannot be mixed in;
 * certificates (DOCKER_CERT_PATH) are left to the library.
 */
export function toClientOptions(dockerHost: string): Docker.DockerOptions {
  const url = new URL(dockerHost);
  if (url.protocol === 'unix:') {
    return { socketPath: url.pathname, host: undefined, port: undefined, protocol: 'http' };
  }
  const isTls = url.protocol === 'https:' || url.port === '2376';
  const port = url.port || (isTls ? '2376' : '2375');
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    socketPath: undefined,
    protocol: isTls ? 'https' : 'http',
  };
}
