import { atEnd } from '../../tools/cleanup.mjs';
import { BENCH_LABEL, removeContainers } from '../../tools/engine.mjs';
import { timedRun } from './timed-run.mjs';

/**
 * The same script by `docker run --rm`, as one would run it by hand. Without a network, as the server's jobs are: to set
 * one up takes the engine longer.
 */
export function dockerRuns(image, script) {
  atEnd(() => removeContainers(`${BENCH_LABEL}=1`));
  const options = ['--rm', '--network=none', `--label=${BENCH_LABEL}=1`];
  const command = ['python3', '-u', '-c', script];
  return { run: () => timedRun('docker', ['run', ...options, image, ...command]) };
}
