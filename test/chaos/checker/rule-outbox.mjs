import { isFinal, ofState } from './states.mjs';
import { ofType } from './records.mjs';

/** The steps that a job may take without one between them; FINAL stands for every final state. */
const STEPS = {
  QUEUED: ['STARTING', 'FINAL'],
  STARTING: ['RUNNING', 'QUEUED', 'FINAL'],
  RUNNING: ['QUEUED', 'FINAL'],
};

/**
 * Every change of the job is in the outbox, each once and in order, from its acceptance to the end that is told. Of a job
 * that is older than the outbox those are there that came later.
 */
export function outboxIsComplete(record) {
  const { final, isOlderThanOutbox } = record;
  const noted = ofType(record, 'noted');
  if (!final) return [];
  const [first] = noted;
  const last = noted.at(-1);
  if (!first) return isOlderThanOutbox ? [] : ['the outbox has nothing of it'];
  const faults = [];
  if (!isOlderThanOutbox && !isBegin(first))
    faults.push(`its first change in the outbox is ${ofState(first)}`);
  for (let at = 1; at < noted.length; at++)
    if (!isStep(noted[at - 1], noted[at]))
      faults.push(`in the outbox ${ofState(noted[at])} follows ${ofState(noted[at - 1])}`);
  if (last.state !== final.state || last.attempt !== final.attempt)
    faults.push(`its last change in the outbox is ${ofState(last)}, and it is ${ofState(final)}`);
  return faults;
}

function isBegin({ state, attempt }) {
  return (state === 'QUEUED' && attempt === 0) || (state === 'STARTING' && attempt === 1);
}

function isStep(before, now) {
  const isCancel = now.isCancelRequested && !before.isCancelRequested;
  if (now.state === before.state) return isCancel && now.attempt === before.attempt;
  const isClaim = before.state === 'QUEUED' && now.state === 'STARTING';
  if (now.attempt !== before.attempt + (isClaim ? 1 : 0)) return false;
  return STEPS[before.state]?.includes(isFinal(now.state) ? 'FINAL' : now.state) ?? false;
}
