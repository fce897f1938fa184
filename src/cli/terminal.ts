import { once } from 'node:events';
import type { WriteStream } from 'node:tty';
import { EXIT } from './exit-codes.js';

type Output = NodeJS.WriteStream | WriteStream;

/** Where output goes: data to stdout, all else to stderr. Writing waits while the reader is busy. */
export class Terminal {
  constructor(
    private readonly stdout: Output = process.stdout,
    private readonly stderr: Output = process.stderr,
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {
    for (const stream of [stdout, stderr]) stream.on('error', leaveOnBrokenPipe);
  }

  /** Whether messages go to a person who looks at them now. */
  get isWatched(): boolean {
    return this.stderr.isTTY === true;
  }

  get hasColour(): boolean {
    return this.stdout.isTTY === true && !this.env.NO_COLOR && this.env.TERM !== 'dumb';
  }

  async data(text: string): Promise<void> {
    await write(this.stdout, text);
  }

  /** The script's own stderr. */
  async errorData(text: string): Promise<void> {
    await write(this.stderr, text);
  }

  async json(value: unknown): Promise<void> {
    await this.data(`${JSON.stringify(value)}\n`);
  }

  /** A line for people. */
  note(text: string): void {
    this.stderr.write(`maps: ${text}\n`);
  }

  /** Resolves when all that was written has left this process. */
  async flush(): Promise<void> {
    await Promise.all(
      [this.stdout, this.stderr].map((stream) => new Promise((done) => stream.write('', done))),
    );
  }
}

async function write(stream: Output, text: string): Promise<void> {
  if (text !== '' && !stream.write(text)) await once(stream, 'drain');
}

/** `maps logs … | head` is no fault: whoever reads has seen enough. */
function leaveOnBrokenPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE' || error.code === 'ERR_STREAM_DESTROYED') process.exit(EXIT.brokenPipe);
  throw error;
}
