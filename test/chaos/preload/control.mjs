import { readFileSync, writeSync } from 'node:fs';

/**
 * What the run tells a server while it runs: a small file, read at the start and again at each SIGWINCH,
 * which ends neither a process without a handler nor the service, as other signals would.
 *
 * @typedef {object} Control
 * @property {{ name: string, occurrence: number, signal: 'SIGKILL' | 'SIGSTOP' }} [armed] where to strike
 * @property {number} [clockOffsetMs] how far this server's clock is ahead of the machine's
 * @property {number} [sweepGraceMs] in place of the sweeper's own
 */

/** @type {Control} */
export let control = read();
const listeners = [];

process.on('SIGWINCH', () => {
  control = read();
  for (const listener of listeners) listener(control);
  say({ msg: 'control read' });
});

/** Calls `listener` with what is told now, and whenever that changes. */
export function onControl(listener) {
  listeners.push(listener);
  listener(control);
}

/** A line among those of the server's log; written before this returns, since the next step may be the last. */
export function say(line) {
  writeSync(1, `${JSON.stringify({ ...line, chaos: true })}\n`);
}

/** @returns {Control} */
function read() {
  return JSON.parse(readFileSync(process.env.CHAOS_CONTROL ?? '', 'utf8'));
}
