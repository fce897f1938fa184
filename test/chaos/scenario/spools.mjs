import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fromDist } from '../../../tools/paths.mjs';
import { FIRST_LINE } from './script.mjs';

const LOOK_MS = 200;
/** Enough for the first frames, whatever they hold: `started`, and output that begins with the first line. */
const HEAD_BYTES = 160 * 1024;

/**
 * Counts the starts of scripts where they cannot be hidden: each start has a spool of its own, whose first frame says so
 * and whose first line says of which attempt it is. Looks all the time, since a folder that is nobody's gets swept.
 */
export class SpoolWatch {
  #known = new Set();
  #ending = new AbortController();

  constructor(workspaceDir, history) {
    this.folder = join(workspaceDir, 'logs');
    this.history = history;
  }

  async start() {
    const { parseFrames } = await fromDist('runner/frames.js');
    this.parseFrames = parseFrames;
    this.#looking = this.#look();
  }

  #looking;

  async close() {
    this.#ending.abort();
    await this.#looking;
    await this.#lookOnce();
  }

  async #look() {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      await this.#lookOnce();
      await sleep(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #lookOnce() {
    const names = await readdir(this.folder).catch(() => []);
    for (const workspace of names.filter((name) => !this.#known.has(name))) {
      const start = await this.#startOf(workspace);
      if (!start) continue;
      this.#known.add(workspace);
      this.history.add('started', { ...start, workspace });
    }
  }

  /** Undefined until the script has said who it is. */
  async #startOf(workspace) {
    const frames = this.parseFrames(await head(join(this.folder, workspace, 'log')), 0);
    if (frames[0]?.kind !== 'started') return undefined;
    const printed = frames.filter((frame) => frame.kind === 'output' && frame.stream === 'STDOUT');
    const text = printed.map((frame) => frame.payload.toString()).join('');
    const [, jobId, attempt, token] = FIRST_LINE.exec(text) ?? [];
    return token && { jobId, attempt: Number(attempt), token };
  }
}

async function head(path) {
  const file = await open(path).catch(() => undefined);
  if (!file) return Buffer.alloc(0);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
