import { quantile } from '../../tools/stats.mjs';

/** How many events of a job's history are shown from each end. */
const SHOWN_EVENTS = 60;

/** What a run found, for people. */
export function toReport({ options, events, result, steps, seconds }) {
  const { violations, verdicts, permitted, jobs } = result;
  return [
    '',
    ...table('kills', countKills(events)),
    ...table(
      'other faults',
      count(steps.filter(isNoKill), ({ fault }) => fault),
    ),
    ...table(
      'fail-points not reached',
      count(ofType(events, 'missed'), ({ point }) => point),
    ),
    ...table('verdicts', verdicts),
    ...ofType(events, 'starts').map(
      ({ warm, cold }) => `attempts that got a worker: ${warm}, others: ${cold}`,
    ),
    ...recoveryLines(events),
    ...(permitted.length > 0
      ? [`failed by the platform before they began, as documented: ${permitted.length}`]
      : []),
    ...violationLines(violations, events),
    '',
    lastLine({ options, events, violations, jobs, seconds }),
  ].join('\n');
}

function isNoKill({ fault }) {
  return fault !== 'kill' && fault !== 'fail-point';
}

function countKills(events) {
  return count(ofType(events, 'killed'), ({ where }) => where);
}

function lastLine({ options, events, violations, jobs, seconds }) {
  const { runtime, database, replicas, seed, isWarm } = options;
  const kills = ofType(events, 'killed').length;
  const servers = `${replicas} ${replicas === 1 ? 'server' : 'servers'}`;
  const where = [runtime, ...(isWarm ? ['warm'] : []), database, servers, `seed ${seed}`].join(', ');
  const found =
    violations.length === 0 ? 'nothing lost, doubled or left behind' : `${violations.length} VIOLATIONS`;
  return `${found}: ${jobs} jobs through ${kills} kills in ${seconds} s (${where})`;
}

/** From a kill until the server listens again, and until each job that ran is looked after again. */
function recoveryTimes(events) {
  const listening = [];
  const adopted = [];
  for (const kill of ofType(events, 'killed')) {
    const later = events.filter(({ atMs }) => atMs >= kill.atMs);
    const up = later.find((event) => event.type === 'listening' && event.server === kill.server);
    if (up) listening.push(up.atMs - kill.atMs);
    const next = later.find((event) => event.type === 'killed' && event !== kill)?.atMs ?? Infinity;
    for (const event of later)
      if (isAdoption(event) && event.atMs < next) adopted.push(event.atMs - kill.atMs);
  }
  return { listening, adopted };
}

function isAdoption({ type, msg }) {
  return type === 'log' && msg === 'adopted a job';
}

function recoveryLines(events) {
  const { listening, adopted } = recoveryTimes(events);
  return [
    ...timeLine('from a kill until the server listens', listening),
    ...timeLine('from a kill until a job is adopted', adopted),
  ];
}

function timeLine(what, samples) {
  if (samples.length === 0) return [];
  const sorted = [...samples].sort((a, b) => a - b);
  const [p50, p95] = [0.5, 0.95].map((share) => Math.round(quantile(sorted, share)));
  return [`${what}: p50 ${p50} ms, p95 ${p95} ms (${samples.length} times)`];
}

/** Each history is looked for in all that was seen. */
const SHOWN_JOBS = 10;

function violationLines(violations, events) {
  const lines = violations.map(
    ({ rule, jobId, detail }) => `VIOLATION ${rule}${jobId ? ` ${jobId}` : ''}: ${detail}`,
  );
  const jobs = [...new Set(violations.map(({ jobId }) => jobId).filter(Boolean))];
  const histories = jobs.slice(0, SHOWN_JOBS).flatMap((jobId) => historyLines(jobId, events));
  const hidden = jobs.length - SHOWN_JOBS;
  return ['', ...lines, ...histories, ...(hidden > 0 ? ['', `and ${hidden} jobs more (--history)`] : [])];
}

/** A job's history, with the kills between. */
function historyLines(jobId, events) {
  const told = withoutMiddles(
    events.filter((event) => event.jobId === jobId || isTurningPoint(event, jobId, events)),
  );
  const isLong = told.length > 2 * SHOWN_EVENTS;
  const shown = isLong ? [...told.slice(0, SHOWN_EVENTS), undefined, ...told.slice(-SHOWN_EVENTS)] : told;
  return ['', `history of ${jobId}:`, ...shown.map((event) => (event ? eventLine(event) : '  …'))];
}

/** Of chunks in a row only the first and the last tell something. */
function withoutMiddles(events) {
  const isSameLog = (a, b) =>
    a?.type === 'chunk' && b?.type === 'chunk' && a.follower === b.follower && a.attempt === b.attempt;
  return events.filter((event, at) => !isSameLog(event, events[at - 1]) || !isSameLog(event, events[at + 1]));
}

function isTurningPoint({ type, atMs }, jobId, events) {
  if (!['killed', 'stopped', 'listening', 'fault', 'serverEnded'].includes(type)) return false;
  const ofJob = events.filter(
    (event) => event.jobId === jobId && event.type !== 'final' && event.follower !== 'afterwards',
  );
  return atMs >= (ofJob[0]?.atMs ?? 0) && atMs <= (ofJob.at(-1)?.atMs ?? 0);
}

function eventLine({ atMs, type, ...details }) {
  const shown = Object.entries(details).filter(
    ([name, value]) => name !== 'jobId' && (value ?? null) !== null,
  );
  const text = shown.map(([name, value]) => `${name}=${brief(value)}`).join(' ');
  return `  ${String(atMs).padStart(8)} ms  ${type} ${text}`;
}

function brief(value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 120
    ? `${JSON.stringify(text.slice(0, 100))}… (${text.length})`
    : text.replaceAll('\n', '\\n');
}

function table(title, counts) {
  const rows = Object.entries(counts).sort(([a], [b]) => a.localeCompare(b));
  return rows.length === 0
    ? []
    : [`${title}:`, ...rows.map(([name, times]) => `  ${String(times).padStart(5)}  ${name}`)];
}

function count(items, nameOf) {
  const counts = {};
  for (const item of items) counts[nameOf(item)] = (counts[nameOf(item)] ?? 0) + 1;
  return counts;
}

function ofType(events, type) {
  return events.filter((event) => event.type === type);
}
