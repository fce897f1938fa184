import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';

const STOP_TIMEOUT_MS = 20_000;
/** So that nothing of the caller's own settings gets into a figure. */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TMPDIR', 'DOCKER_HOST'];

/** What a server under measurement or test is told, before what its caller adds. */
export function serverVariables(runtime, installation) {
  return {
    ...Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]])),
    EXECUTION_RUNTIME: runtime,
    RUNNER_IMAGE: 'py-exec:slim',
    // As it is deployed: libraries leave checks out that only help to develop.
    NODE_ENV: 'production',
    PORT: '0',
    INSTALLATION_ID: installation,
  };
}

/**
 * As `npm start` does it, without npm between the server and its signals. To be started in another folder than the
 * checkout, whose own `.env` would get into a figure too.
 *
 * @param {string} [checkout] a built one, this one unless told
 */
export function startArguments(checkout = ROOT) {
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  const [main, ...flags] = scripts.start.split(' ').slice(1).reverse();
  return [...flags.reverse(), join(checkout, main)];
}

/** A line of the server's log; what is none is an empty one. */
export function parseLogLine(line) {
  try {
    return JSON.parse(line);
  } catch {
    return {};
  }
}

/** SIGTERM, and SIGKILL for one that does not obey. */
export async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(timer);
}
