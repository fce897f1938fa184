import { reachablePoints } from './fail-point-list.mjs';

/**
 * One step of a run.
 *
 * @typedef {object} Step
 * @property {string} fault what happens
 * @property {number} afterMs how long the servers are left alone before it
 * @property {number} [server] which of the replicas
 * @property {number} [downMs] how long a killed server stays down
 * @property {number} [forMs] how long a fault lasts
 * @property {string} [point] the fail-point
 * @property {number} [occurrence] which passing of the fail-point
 * @property {'SIGKILL' | 'SIGSTOP'} [signal] what the server does to itself there
 * @property {boolean} [isCut] silence ends with a cut
 * @property {number} [offsetMs] how far a clock is set
 */

/** Longer than a lease (15 s), so that another replica takes over from one that is not dead. */
const STOPPED_MS = 20_000;
const CLOCK_OFFSETS_MS = [-15_000, 0, 45_000, 3_600_000];
/** How much longer they are left alone over an upgrade: workers take seconds to get ready, and two releases to meet. */
const MEETING_MS = 6_000;
/** Every so many kills another fault comes. */
const KILLS_PER_FAULT = 3;

/**
 * The whole schedule of a run. Pure. Half of the kills are at fail-points, all of them before any comes again; the others
 * at random moments.
 *
 * @param {{ kills: number, runtime: string, database: string, replicas: number, hasDisk: boolean, previous?: string,
 *   isWarm?: boolean }} run
 * @returns {Step[]}
 */
export function makeSchedule(run, random) {
  const points = cycle(reachablePoints(run), random);
  const faults = cycle(faultsOf(run), random);
  const steps = [];
  for (let kill = 1; kill <= run.kills; kill++) {
    const isNamed = kill % 2 === 0 && !run.previous;
    const turn = run.previous ? { server: turnOf(kill, run) } : {};
    const step = isNamed ? pointStep(points.next().value, run, random) : killStep(run, random);
    steps.push({ ...step, ...turn });
    if (kill % KILLS_PER_FAULT !== 0) continue;
    const fault = { ...faults.next().value(random), ...placed(run, random) };
    // After it, too, a server is of this release.
    steps.push(fault.fault === 'term' ? { ...fault, ...turn } : fault);
  }
  return steps;
}

/**
 * Which server is struck, so that both releases are at work for most of the run: the first one, which is of this release
 * from then on, and each of the others once in the end.
 */
function turnOf(kill, { kills, replicas }) {
  return Math.max(0, kill - 1 - (kills - replicas));
}

/** All in a random order, then all again in another. */
function* cycle(list, random) {
  for (;;) yield* random.shuffle(list);
}

function placed(run, random) {
  const moreMs = run.previous && (run.isWarm || run.replicas > 1) ? MEETING_MS : 0;
  return { server: random.int(0, run.replicas - 1), afterMs: moreMs + random.int(0, 2500) };
}

function killStep(run, random) {
  return { fault: 'kill', ...placed(run, random), downMs: downMs(random) };
}

function pointStep(point, run, random) {
  // A stopped process that goes on behind its lease must find that its jobs are another's.
  const isStop = run.database === 'postgres' && !point.atStart && random.chance(0.15);
  return {
    fault: 'fail-point',
    point: point.name,
    occurrence: random.int(1, 2),
    signal: isStop ? 'SIGSTOP' : 'SIGKILL',
    forMs: STOPPED_MS,
    ...placed(run, random),
    downMs: downMs(random),
  };
}

/** Mostly at once, as a supervisor does it; at times so late that jobs end while nobody is there. */
function downMs(random) {
  return random.chance(0.2) ? random.int(2000, 5000) : random.int(0, 300);
}

function faultsOf({ runtime, database, hasDisk }) {
  const faults = [
    () => ({ fault: 'term' }),
    () => ({ fault: 'cut-clients' }),
    (random) => ({ fault: 'silence-clients', forMs: random.int(500, 4000), isCut: random.chance(0.5) }),
    (random) => ({ fault: 'clock', offsetMs: random.pick(CLOCK_OFFSETS_MS) }),
  ];
  if (hasDisk) faults.push((random) => ({ fault: 'disk-full', forMs: random.int(500, 3000) }));
  if (runtime === 'docker')
    faults.push(
      () => ({ fault: 'cut-engine' }),
      (random) => ({ fault: 'silence-engine', forMs: random.int(1000, 6000), isCut: random.chance(0.5) }),
    );
  if (database === 'postgres')
    faults.push(
      () => ({ fault: 'cut-database' }),
      (random) => ({ fault: 'silence-database', forMs: random.int(1000, 8000), isCut: random.chance(0.5) }),
      () => ({ fault: 'stop', forMs: STOPPED_MS }),
    );
  return faults;
}
