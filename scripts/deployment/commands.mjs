// Runs other programs, each with a deadline.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { ROOT } from '../prepare.mjs';

/** Resolves with what a program printed and how it ended; a program that overstays its deadline is killed. */
export async function run(command, args, { env = {}, input = '', timeoutMs = 60_000, onStdout } = {}) {
  const child = spawn(command, args, { cwd: ROOT, env: { ...process.env, ...env } });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
    onStdout?.(stdout, child);
  });
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  child.stdin.on('error', () => undefined).end(input);
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const [code, signal] = await Promise.race([
    once(child, 'close'),
    once(child, 'error').then(([error]) => ((stderr += error.message), [127, null])),
  ]);
  clearTimeout(timer);
  return { code: code ?? signal, stdout, stderr };
}

/** As `run`, for a program that must succeed; resolves with its standard output. */
export async function must(command, args, options) {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code === 0) return stdout.trim();
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${lastLines(stderr || stdout, 15)}`);
}

/** Calls `condition` until it returns something truthy, and returns that; what it throws counts as not yet. */
export async function until(condition, what, timeoutMs = 60_000) {
  const giveUpAt = Date.now() + timeoutMs;
  let last;
  for (;;) {
    try {
      last = await condition();
      if (last) return last;
    } catch (error) {
      last = error.message;
    }
    if (Date.now() > giveUpAt)
      throw new Error(`${what} did not come true in ${timeoutMs / 1000} s; last seen: ${last}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function lastLines(text, count) {
  return text.trim().split('\n').slice(-count).join('\n');
}
