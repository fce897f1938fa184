import { groupBy } from './group-by.mjs';
import { isFinal, ofState, progressOf } from './states.mjs';
import { ofType } from './records.mjs';

/** Exactly one final state, the same for everybody, for ever. */
export function endsOnce(record) {
  const seen = [...ofType(record, 'observed'), ...ofType(record, 'final')].filter(({ state }) =>
    isFinal(state),
  );
  const states = [...new Set(seen.map(ofState))];
  return states.length > 1 ? [`it had ${states.length} ends: ${states.join('; ')}`] : [];
}

/** Nobody ever sees a job go back: not to an earlier attempt, not to an earlier state of one. */
export function movesForward(record) {
  const observers = groupBy(ofType(record, 'observed'), ({ observer }) => observer);
  return [...observers].flatMap(([observer, seen]) =>
    stepsBack(seen).map((step) => `${observer} saw ${step}`),
  );
}

function stepsBack(seen) {
  const steps = [];
  for (let at = 1; at < seen.length; at++) {
    const [before, now] = [seen[at - 1], seen[at]];
    if (isBefore(progress(now), progress(before))) steps.push(`${ofState(before)}, then ${ofState(now)}`);
  }
  return steps;
}

/** QUEUED with an attempt behind it is the wait for the next one. */
function progress(observation) {
  return progressOf(observation, observation.attempt > 0);
}

function isBefore([attempt, rank], [otherAttempt, otherRank]) {
  return attempt < otherAttempt || (attempt === otherAttempt && rank < otherRank);
}
