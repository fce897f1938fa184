import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds from starting a program until its first output is here, and until its end; it must end well and print one "x". */
export async function timedRun(program, args) {
  const startedAt = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  let firstMs;
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => {
    firstMs ??= performance.now() - startedAt;
    text += part;
  });
  const [code] = await closed;
  const endMs = performance.now() - startedAt;
  if (code !== 0 || text !== 'x\n')
    throw new Error(`${program} ended with ${code} after ${JSON.stringify(text)}`);
  return { firstMs, endMs };
}
