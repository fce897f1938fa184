const RANKS = { QUEUED: 0, STARTING: 1, RUNNING: 2 };
const FINAL = 3;

export function isFinal(state) {
  return !(state in RANKS);
}

/** How far a job is: forward is up, over (attempt, state). A retry waits as QUEUED with the attempt it had. */
export function progressOf({ state, attempt }, isRetry) {
  if (isFinal(state)) return [Infinity, FINAL];
  return isRetry && state === 'QUEUED' ? [attempt + 0.5, 0] : [attempt, RANKS[state]];
}

export function ofState({ state, reason, exitCode, attempt }) {
  const how = [reason, exitCode ?? undefined].filter((each) => each !== undefined && each !== null).join(' ');
  return `${state}${how && ` (${how})`} in attempt ${attempt}`;
}
