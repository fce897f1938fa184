/** Nothing is left behind once every job has ended and the sweeper has been. */
export function nothingIsLeft(events) {
  return events
    .filter(({ type }) => type === 'leftover')
    .map(({ what }) => ({ detail: `left behind: ${what}` }));
}

/** A server ends only when it is told to. */
export function serversEndWhenTold(events) {
  return events
    .filter(({ type, isExpected }) => type === 'serverEnded' && !isExpected)
    .map(({ server, code, signal, atMs }) => ({
      detail: `${server} ended by itself at ${atMs} ms (${signal ?? code})`,
    }));
}

/** SIGTERM is obeyed within the time that supervisors give. */
export function serversStopWhenAsked(events) {
  return events
    .filter(({ type }) => type === 'disobeyed')
    .map(({ server, atMs }) => ({ detail: `${server} had not stopped at ${atMs} ms, 20 s after SIGTERM` }));
}

/** A run in which servers die and nothing runs proves nothing. */
export function jobsAreTaken(events) {
  const count = (wanted) => events.filter(({ type }) => type === wanted).length;
  const [taken, starts] = [count('accepted'), count('serverStarted')];
  return taken < starts ? [{ detail: `only ${taken} jobs were taken in ${starts} lives of servers` }] : [];
}

/** A run with a pool of which hardly any job got a worker proves nothing of workers. */
export function workersAreUsed(events) {
  const faults = events.filter(({ type, warm, cold }) => type === 'starts' && warm < cold / 10);
  return faults.map(({ warm, cold }) => ({ detail: `only ${warm} attempts got a worker, ${cold} did not` }));
}

/** The run itself got to its end. */
export function runIsComplete(events) {
  return events.filter(({ type }) => type === 'unfinished').map(({ what }) => ({ detail: what }));
}
