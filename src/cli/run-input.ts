import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import type { RunScriptInput } from '../client/schema-types.js';
import { UsageError } from './usage-error.js';
import type { Pair } from './values.js';

/** The service takes 2 MiB; a disk image given by mistake must not be read into memory to be told so. */
const MAX_FILES_BYTES = 2 * 1024 * 1024;

export interface RunOptions {
  request?: string;
  file?: string[];
  env?: string[];
  secret?: string[];
  label?: Pair[];
  name?: string;
  environment?: string;
  timeout?: number;
  memory?: number;
  cpus?: number;
  network?: string;
  retries?: number;
  idempotencyKey?: string;
  priority?: number;
}

/** What `maps run` sends, from its arguments and the files they name. `-` stands for standard input. */
export async function toRunInput(
  script: string,
  options: RunOptions,
  env: NodeJS.ProcessEnv,
): Promise<RunScriptInput> {
  return {
    script: (await readInput(script)).toString('utf8'),
    request: options.request === undefined ? undefined : await toRequest(options.request),
    files: options.file && (await readFiles(options.file)),
    env: options.env?.map((entry) => toVariable(entry, env)),
    secrets: options.secret,
    labels: options.label,
    name: options.name ?? (script === '-' ? undefined : basename(script)),
    environment: options.environment,
    timeoutSeconds: options.timeout,
    memoryMb: options.memory,
    cpus: options.cpus,
    network: options.network?.toUpperCase() as RunScriptInput['network'],
    retries: options.retries,
    priority: options.priority,
    idempotencyKey: options.idempotencyKey,
  };
}

async function toRequest(option: string): Promise<unknown> {
  const source = option.startsWith('@') ? (await readInput(option.slice(1))).toString('utf8') : option;
  try {
    return JSON.parse(source) as unknown;
  } catch (error) {
    throw new UsageError(
      `--request is not JSON: ${(error as Error).message}. A file is given as @file.json.`,
    );
  }
}

/** `K=V`, or `K` alone for the value that it has here. */
function toVariable(entry: string, env: NodeJS.ProcessEnv): Pair {
  const at = entry.indexOf('=');
  if (at > 0) return { name: entry.slice(0, at), value: entry.slice(at + 1) };
  const value = env[entry];
  if (value === undefined)
    throw new UsageError(`--env ${entry}: give NAME=value; there is no variable of this name here.`);
  return { name: entry, value };
}

async function readFiles(entries: string[]): Promise<{ path: string; base64: string }[]> {
  const files = entries.map((entry) => {
    const at = entry.indexOf('=');
    const source = at < 0 ? entry : entry.slice(at + 1);
    return { source, path: at < 0 ? basename(entry) : entry.slice(0, at) };
  });
  const sizes = await Promise.all(files.map(({ source }) => sizeOf(source)));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total > MAX_FILES_BYTES)
    throw new UsageError(`The files have ${total} bytes in all; a job takes at most ${MAX_FILES_BYTES}.`);
  return Promise.all(
    files.map(async ({ source, path }) => ({ path, base64: (await readInput(source)).toString('base64') })),
  );
}

async function sizeOf(path: string): Promise<number> {
  try {
    const entry = await stat(path);
    if (entry.isDirectory()) throw new UsageError(`${path} is a folder; give its files one by one.`);
    return entry.size;
  } catch (error) {
    throw toReadError(path, error);
  }
}

async function readInput(path: string): Promise<Buffer> {
  try {
    return path === '-' ? Buffer.from(await text(process.stdin)) : await readFile(path);
  } catch (error) {
    throw toReadError(path, error);
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};

function toReadError(path: string, error: unknown): unknown {
  if (error instanceof UsageError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new UsageError(`Cannot read ${path}: ${WHY[code] ?? message}.`);
}
