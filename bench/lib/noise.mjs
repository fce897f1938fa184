import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atEnd } from '../../tools/cleanup.mjs';

const CLIENT = fileURLToPath(new URL('./noise-client.mjs', import.meta.url));

/**
 * Jobs that print hard, each read to its end by a subscriber in another process. Resolves when all of them print;
 * `lines` then resolves with how many lines came once all have ended, and rejects when one is missing or comes twice.
 */
export async function startNoise(url, jobs) {
  const child = fork(CLIENT, [url, String(jobs)]);
  atEnd(async () => child.kill());
  let isOver = false;
  const next = () =>
    new Promise((resolve, reject) => {
      child.once('message', resolve);
      child.once('exit', (code) => code !== 0 && reject(new Error('the jobs that make noise failed')));
    });
  await next();
  const lines = next().then(({ lines: count }) => {
    isOver = true;
    return count;
  });
  lines.catch(() => undefined);
  return { lines, isOver: () => isOver };
}
