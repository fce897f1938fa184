import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

export interface MapsEnd {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The command itself, as a process: its streams and its exit code are what is promised. Build it first. */
export function startMaps(
  args: string[],
  env: Record<string, string | undefined> = {},
): { child: ChildProcess; end: Promise<MapsEnd> } {
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), ...args], {
    cwd: ROOT,
    env: { ...process.env, MAPS_API_TOKEN: '', MAPS_API_TOKEN_FILE: '', ...env },
  });
  child.stdin.end();
  const code = new Promise<number | null>((resolve) => child.once('close', resolve));
  const end = Promise.all([code, text(child.stdout), text(child.stderr)]).then(([code, stdout, stderr]) => ({
    code,
    stdout,
    stderr,
  }));
  return { child, end };
}

export function maps(args: string[], env?: Record<string, string | undefined>): Promise<MapsEnd> {
  return startMaps(args, env).end;
}

/** Builds `dist/` unless it is of these very sources, by the script that `npm test` uses too. */
export async function buildMaps(): Promise<void> {
  const { ensureBuilt } = (await import(pathToFileURL(join(ROOT, 'scripts', 'prepare.mjs')).href)) as {
    ensureBuilt: (options: { log: (line: string) => void }) => Promise<void>;
  };
  await ensureBuilt({ log: () => undefined });
}
