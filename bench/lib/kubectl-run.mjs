import { randomUUID } from 'node:crypto';
import { runTimed } from './timed-run.mjs';

/** How often a run is made whose output kubectl has lost. */
const MAX_TRIES = 5;

/** The same script by `kubectl run --rm`, as an operator would run it by hand: milliseconds until its first line, and until kubectl ends. */
export function kubectlRuns(namespace, image, script) {
  return {
    run: async () => {
      for (let tries = 1; ; tries++) {
        const { text, firstMs, endMs } = await runOnce(namespace, image, script);
        // At the end kubectl says there that it has deleted the pod.
        if (text.startsWith('x\n')) return { firstMs, endMs };
        // A pod that ends while kubectl attaches to it is one whose output kubectl may not get.
        console.error(`kubectl run printed ${JSON.stringify(text)}`);
        if (tries === MAX_TRIES)
          throw new Error(`kubectl run lost the output of ${tries} pods, one after the other`);
      }
    },
  };
}

function runOnce(namespace, image, script) {
  const name = `bare-${randomUUID().slice(0, 8)}`;
  return runTimed('kubectl', [
    ...['run', name, '-n', namespace, '--rm', '-i', '--restart=Never', `--image=${image}`],
    ...['--image-pull-policy=IfNotPresent', '--command', '--', 'python3', '-u', '-c', script],
  ]);
}
