import { setTimeout as sleep } from 'node:timers/promises';
import { FAIL_POINTS } from './fail-point-list.mjs';

/** How long a fail-point is waited for: in the server that runs, then in the next, which takes over its jobs. */
const POINT_PATIENCE_MS = 6_000;
/** One that a certain job leads to: that job has to come to its turn first. */
const NEEDY_PATIENCE_MS = 12_000;

/**
 * What a step does, by its name. Each resolves when its fault is over and the server it struck listens again.
 *
 * @typedef {object} Targets
 * @property {import('../world/cluster.mjs').Cluster} cluster
 * @property {import('../world/history.mjs').History} history
 * @property {import('../scenario/scenario.mjs').Scenario} scenario
 * @property {{ proxy?: object, terminateConnections?: () => Promise<void> }} database
 * @property {{ engine?: object }} runtime
 * @property {number} takeoverMs how long after its start a server may take over the jobs of another
 * @property {{ fill(): Promise<void>, release(): Promise<void> } | undefined} disk
 * @type {Record<string, (targets: Targets, step: import('./schedule.mjs').Step, server: object) => Promise<void>>}
 */
export const STRIKES = {
  kill,
  'fail-point': failPoint,
  term: async (targets, step, server) => {
    await server.stop();
    await untilUp(targets, server);
  },
  stop: async (_targets, { forMs }, server) => {
    server.signal('SIGSTOP');
    await sleep(forMs);
    server.signal('SIGCONT');
  },
  clock: async (_targets, { offsetMs }, server) => server.tell({ clockOffsetMs: offsetMs }),
  'cut-clients': async ({ cluster }) => cluster.proxy.cut(),
  'silence-clients': ({ cluster }, step) => silence(cluster.proxy, step),
  'cut-engine': async ({ runtime }) => runtime.engine.cut(),
  'silence-engine': ({ runtime }, step) => silence(runtime.engine, step),
  'cut-database': ({ database }) => database.terminateConnections(),
  'silence-database': ({ database }, step) => silence(database.proxy, step),
  'disk-full': async ({ disk }, { forMs }) => {
    await disk.fill();
    await sleep(forMs);
    await disk.release();
  },
};

async function silence(proxy, { forMs, isCut }) {
  proxy.silence();
  await sleep(forMs);
  proxy.speak({ isCut });
}

async function kill(targets, { downMs }, server) {
  await server.kill();
  targets.history.add('killed', { server: server.name, where: 'at random' });
  await sleep(downMs);
  await untilUp(targets, server);
}

/** Arms the point in the server that runs, and when nothing comes there, in the one after it. */
async function failPoint(targets, step, server) {
  const { needs, atStart } = FAIL_POINTS.find(({ name }) => name === step.point);
  const patienceMs = needs ? NEEDY_PATIENCE_MS : POINT_PATIENCE_MS;
  targets.scenario.want(needs);
  const armed = { name: step.point, occurrence: step.occurrence, signal: step.signal };
  if (!atStart && (await isHit(targets, server, patienceMs, () => server.tell({ armed }))))
    return afterHit(targets, step, server);
  await server.kill();
  targets.history.add('killed', { server: server.name, where: 'at random' });
  targets.scenario.want(needs);
  const nextPatienceMs = patienceMs + (atStart ? targets.takeoverMs : 0);
  const wasHit = await isHit(targets, server, nextPatienceMs, async () => {
    server.tell({ armed });
    await server.start();
  });
  if (wasHit) return afterHit(targets, step, server);
  targets.history.add('missed', { point: step.point });
  server.tell({ armed: undefined });
  return untilUp(targets, server);
}

async function isHit({ history }, server, patienceMs, arm) {
  const hit = history.waitFor(
    (event) => event.msg === 'fail-point' && event.server === server.name,
    patienceMs,
  );
  await arm();
  return (await hit) !== undefined;
}

async function afterHit(targets, { point, signal, forMs, downMs }, server) {
  targets.history.add(signal === 'SIGKILL' ? 'killed' : 'stopped', { server: server.name, where: point });
  if (signal === 'SIGSTOP') {
    await sleep(forMs);
    return server.signal('SIGCONT');
  }
  await server.kill();
  await sleep(downMs);
  return untilUp(targets, server);
}

/** A server whose start fails is started again, as a supervisor does it. */
async function untilUp({ history }, server) {
  for (let tries = 0; tries < 10; tries++) {
    if (server.isAlive && server.port !== undefined) return;
    await server.kill();
    if (await server.start()) return;
    await sleep(500);
  }
  history.add('unfinished', { what: `${server.name} does not start any more` });
  throw new Error(`${server.name} does not start any more`);
}
