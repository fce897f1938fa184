/** The files and folders by which a server and a runner talk; see docs/runner-contract.md. */

/** Where a workload finds its folders, unless variables name others. */
export const RUNNER_FOLDERS = { job: '/job', input: '/input', output: '/output', spool: '/spool' } as const;

/** In the job's folder: what is run. */
export const SCRIPT_FILE = 'script.py';
/** In the job's folder: the order. It is written last, so that its absence proves that nothing was started. */
export const ORDER_FILE = 'job.json';
/** The request to stop, for a runtime that cannot send a signal; a variable names its path. */
export const STOP_FILE = 'stop';

/** In the folder of inputs: what the caller of the job gave. */
export const REQUEST_FILE = 'request.json';

/** In the spool: the frames. */
export const LOG_FILE = 'log';
/** In the spool: what a worker says when it waits for its order. */
export const READY_FILE = 'ready';
/** In the spool: what the runner signs with. It removes the file before it lets the script go. */
export const KEY_FILE = 'key';
/** In the spool: made when the log is complete, so that a server need not look at it all the time. Proves nothing. */
export const OVER_FILE = 'over';
