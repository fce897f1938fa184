import { groupBy } from './group-by.mjs';

/**
 * A history, sorted by job. Pure.
 *
 * @typedef {object} JobRecord
 * @property {import('../scenario/plan.mjs').Plan} plan
 * @property {string} jobId
 * @property {boolean} isAccepted the service answered with this id
 * @property {import('../world/history.mjs').HistoryEvent[]} events all of this job, in order
 * @property {object | undefined} final the job as it was told at the end of the run
 * @property {boolean} isOlderThanOutbox it was sent before a server of this release was there
 * @property {boolean} isDiskTouched a disk was full while it was not yet over: what it wrote may be cut
 */

/** @returns {{ records: JobRecord[], strangers: string[] }} */
export function toRecords({ plans, events }) {
  const byName = new Map(plans.map((plan) => [plan.name, plan]));
  const byJob = groupBy(
    events.filter(({ jobId }) => jobId !== undefined),
    ({ jobId }) => jobId,
  );
  const full = diskFaults(events);
  const outboxFromMs = events.find(({ type, isPrevious }) => type === 'listening' && !isPrevious)?.atMs ?? 0;
  const isOld = ({ name }) =>
    events.some(({ type, plan, atMs }) => type === 'submitted' && plan === name && atMs < outboxFromMs);
  const records = [];
  const strangers = [];
  for (const [jobId, ofJob] of byJob) {
    const name = ofJob.find((event) => event.plan ?? event.name);
    const plan = byName.get(name?.plan ?? name?.name);
    if (plan) records.push({ ...toRecord(plan, jobId, ofJob, full), isOlderThanOutbox: isOld(plan) });
    else strangers.push(jobId);
  }
  return { records, strangers };
}

function toRecord(plan, jobId, events, full) {
  const last = events.findLast((event) => event.type === 'logEnd' && event.follower === 'live');
  const [fromMs, toMs] = [events[0].atMs, last?.atMs ?? Infinity];
  return {
    plan,
    jobId,
    events,
    isAccepted: events.some((event) => event.type === 'accepted'),
    final: events.findLast((event) => event.type === 'final'),
    isDiskTouched: full.some((fault) => fault.fromMs < toMs && fault.toMs > fromMs),
  };
}

function diskFaults(events) {
  return events
    .filter((event) => event.type === 'fault' && event.name === 'disk-full')
    .map(({ atMs, lastedMs }) => ({ fromMs: atMs - lastedMs, toMs: atMs }));
}

export function ofType(record, type) {
  return record.events.filter((event) => event.type === type);
}

/** Every start of the job's script that anything tells of: `attempt` and `token`, each once. */
export function startsOf(record) {
  const starts = new Map();
  for (const { attempt, token } of ofType(record, 'started'))
    starts.set(`${attempt} ${token}`, { attempt, token });
  return [...starts.values()];
}
