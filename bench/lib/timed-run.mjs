import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a program: its exit code, what it printed, and milliseconds from its start until its first output and until its end. */
export async function runTimed(program, args) {
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
  return { code, text, firstMs, endMs: performance.now() - startedAt };
}

/** The two times of a program that must end well and print one "x". */
export async function timedRun(program, args) {
  const { code, text, ...times } = await runTimed(program, args);
  if (code !== 0 || text !== 'x\n')
    throw new Error(`${program} ended with ${code} after ${JSON.stringify(text)}`);
  return times;
}
