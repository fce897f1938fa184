import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';

/** The same script by `kubectl run --rm`, as an operator would run it by hand: milliseconds until its first line. */
export function kubectlRuns(namespace, image, script) {
  return {
    firstLineMs: async () => {
      const startedAt = performance.now();
      const name = `bare-${randomUUID().slice(0, 8)}`;
      const child = spawn(
        'kubectl',
        [
          ...['run', name, '-n', namespace, '--rm', '-i', '--restart=Never', `--image=${image}`],
          ...['--image-pull-policy=IfNotPresent', '--command', '--', 'python3', '-u', '-c', script],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      );
      const closed = once(child, 'close');
      let firstLineMs;
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (part) => {
        firstLineMs ??= performance.now() - startedAt;
        text += part;
      });
      await closed;
      // At the end kubectl says there that it has deleted the pod.
      if (!text.startsWith('x\n')) throw new Error(`kubectl run printed ${JSON.stringify(text)}`);
      return firstLineMs;
    },
  };
}
