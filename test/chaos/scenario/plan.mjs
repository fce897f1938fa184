import { createHash } from 'node:crypto';
import { toScript } from './script.mjs';

/**
 * One job of the scenario and everything that must be true of it.
 *
 * @typedef {object} Plan
 * @property {string} name its name in the service; each plan has its own
 * @property {string} kind
 * @property {object} input what is sent to `runScript`
 * @property {string} stdout what an attempt prints behind its first line
 * @property {string} stderr
 * @property {{ path: string, sha256: string, size: number }[]} outputs what a success leaves besides `token`
 * @property {number} retries
 * @property {number} [failsBefore] attempts before this number fail
 * @property {{ state: string, reason: string, exitCode: number | null }} end the final state of a run without platform faults
 * @property {boolean} endsByItself
 * @property {number} [cancelAfterMs] after it was accepted
 */

const EXIT_ZERO = { state: 'SUCCEEDED', reason: 'EXIT_ZERO', exitCode: 0 };
const TIMEOUT_SECONDS = 120;

const KINDS = {
  short: (random) => ({ lines: random.int(1, 5), everyMs: 0 }),
  chatty: (random) => ({ lines: random.int(40, 160), everyMs: random.int(10, 60), errorEvery: 7 }),
  bulk: (random) => ({ lines: random.int(1500, 4000), everyMs: 0, errorEvery: 500 }),
  failing: (random) => ({ lines: random.int(1, 30), everyMs: 30, exitCode: random.int(1, 100) }),
  signalled: (random) => ({ lines: random.int(1, 30), everyMs: 30, killsItself: true }),
  cancelled: (random) => ({ isEndless: true, everyMs: 50, cancelAfterMs: random.int(0, 6000) }),
  'timed-out': (random) => ({ isEndless: true, everyMs: 50, timeoutSeconds: random.int(1, 4) }),
  retried: (random) => ({ lines: random.int(1, 30), everyMs: 20, failsBefore: random.int(2, 3), retries: 2 }),
  outputs: (random) => ({
    lines: 3,
    everyMs: 100,
    files: random.int(1, 6),
    fileBytes: random.int(0, 200_000),
  }),
};

/** Short jobs are the most: they are where starts and ends are. */
const MIX = [...Object.keys(KINDS), 'short', 'chatty', 'chatty', 'cancelled', 'retried', 'outputs'];

/** The plan of the job number `n`, of a given kind or of one that `random` picks. @returns {Plan} */
export function makePlan(n, random, wanted) {
  const drawn = random.pick(MIX);
  const kind = wanted ?? drawn;
  const shape = { lines: 0, files: 0, retries: 0, ...KINDS[kind](random) };
  const name = `chaos-${n}`;
  const { retries, failsBefore, cancelAfterMs, timeoutSeconds = TIMEOUT_SECONDS } = shape;
  // Those whose answer is lost are sent again with their key; the others only ever once.
  // A job that only a cancel ends must be known to who cancels it, also when the first answer is lost.
  const isKeyed = random.chance(0.6) || cancelAfterMs !== undefined;
  const key = isKeyed ? { idempotencyKey: name } : {};
  return {
    name,
    kind,
    input: { name, script: toScript(shape), retries, timeoutSeconds, memoryMb: 256, ...key },
    stdout: lines(shape, (line) => `line ${line} ${'x'.repeat(line % 90)}`),
    stderr: lines(shape, (line) =>
      shape.errorEvery && line % shape.errorEvery === 0 ? `error ${line}` : undefined,
    ),
    outputs: Array.from({ length: shape.files }, (_, at) => toOutput(at, shape.fileBytes)),
    retries,
    failsBefore,
    end: endOf(kind, shape),
    endsByItself: !shape.isEndless,
    cancelAfterMs,
  };
}

function lines({ lines, isEndless }, toLine) {
  // More than an endless script ever gets to print.
  const count = isEndless ? 20_000 : lines;
  const printed = Array.from({ length: count }, (_, line) => toLine(line)).filter(
    (line) => line !== undefined,
  );
  return printed.map((line) => `${line}\n`).join('');
}

function toOutput(at, bytes) {
  const content = Buffer.alloc(bytes, `${at}-`);
  return {
    path: `folder-${at % 2}/file-${at}.bin`,
    size: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
  };
}

function endOf(kind, { exitCode, killsItself }) {
  if (kind === 'cancelled') return { state: 'CANCELLED', reason: 'CANCELLED_BY_USER', exitCode: null };
  if (kind === 'timed-out') return { state: 'TIMED_OUT', reason: 'TIMEOUT', exitCode: null };
  if (killsItself) return { state: 'FAILED', reason: 'SIGNAL', exitCode: null };
  if (exitCode) return { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode };
  return EXIT_ZERO;
}
