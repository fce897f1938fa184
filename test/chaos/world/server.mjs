import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseLogLine, startArguments, stopProcess } from '../../../tools/server-process.mjs';

const PRELOAD = fileURLToPath(new URL('../preload/main.mjs', import.meta.url));
const START_TIMEOUT_MS = 60_000;

/** One replica: the built server as a process, which can be struck and started again. */
export class Server {
  /** Where it listens now; undefined while it does not. */
  port;
  #child;
  /** Resolves when it has ended and all that it said was heard. */
  #closed = Promise.resolve();
  /** By `end`: nobody starts it any more. */
  #isOver = false;
  /** We ended it, or told it to end itself; an end without that is a crash. */
  #isDoomed = true;
  #control = {};
  #controlPath;
  #previous;

  /**
   * @param {{ checkout: string, variables: object } | undefined} previous an earlier release, which this server runs until it
   *   has to be started for the second time
   */
  constructor(name, variables, folder, history, previous) {
    this.name = name;
    this.variables = variables;
    this.history = history;
    this.#previous = previous;
    this.#controlPath = join(folder, `${name}.control.json`);
  }

  get pid() {
    return this.#child?.pid;
  }

  get isAlive() {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when it listens, or with false when it ended before: a fail-point may lie in its start. */
  async start() {
    // Of an interrupted run, whose process is about to end.
    if (this.#isOver) return new Promise(() => undefined);
    this.tell({});
    const previous = this.#previous;
    this.#previous = undefined;
    const child = previous ? this.#spawnPrevious(previous) : this.#spawn();
    this.#child = child;
    this.#closed = once(child, 'close');
    this.#isDoomed = this.#control.armed !== undefined;
    this.history.add('serverStarted', { server: this.name, pid: child.pid });
    // Not on 'exit': what it said last has to be heard first.
    child.on('close', (code, signal) => this.#ended(child, code, signal));
    createInterface(child.stderr).on('line', (text) => this.#log({ msg: text, level: 50 }));
    return this.#listening(child, previous !== undefined);
  }

  /** Changes what it is told (see preload/control.mjs), now and at later starts. */
  tell(change) {
    this.#control = { ...this.#control, ...change };
    writeFileSync(this.#controlPath, JSON.stringify(this.#control));
    if ('armed' in change) this.#isDoomed = change.armed?.signal === 'SIGKILL';
    if (this.port !== undefined) this.#child.kill('SIGWINCH');
  }

  async kill() {
    this.#isDoomed = true;
    this.signal('SIGKILL');
    await this.#closed;
  }

  /** For good, whatever state it is in: an interrupted run may be about to start it again. */
  async end() {
    this.#isOver = true;
    this.signal('SIGCONT');
    await this.kill();
  }

  /** Asks it to end, as a deployment does; one that does not obey in time is killed, which is a fault of it. */
  async stop() {
    if (!this.isAlive) return this.#closed;
    this.#isDoomed = true;
    await stopProcess(this.#child);
    await this.#closed;
    if (this.#child.signalCode === 'SIGKILL') this.history.add('disobeyed', { server: this.name });
  }

  signal(name) {
    if (this.isAlive) this.#child.kill(name);
  }

  #spawn() {
    const [main, ...flags] = startArguments().reverse();
    return spawn(process.execPath, [...flags.reverse(), '--import', PRELOAD, main], {
      cwd: tmpdir(),
      env: { ...this.variables, CHAOS_CONTROL: this.#controlPath },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** As it was released: it hears nothing of what is told. */
  #spawnPrevious({ checkout, variables }) {
    return spawn(process.execPath, startArguments(checkout), {
      cwd: tmpdir(),
      env: { ...this.variables, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  #listening(child, isPrevious) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#giveUpStart(child), START_TIMEOUT_MS);
      child.once('close', () => {
        clearTimeout(timer);
        resolve(false);
      });
      createInterface(child.stdout).on('line', (text) => {
        const line = parseLogLine(text);
        this.#log(line);
        if (line.msg !== 'listening') return;
        clearTimeout(timer);
        this.port = Number(new URL(line.url).port);
        this.history.add('listening', { server: this.name, isPrevious });
        resolve(true);
      });
    });
  }

  /** As a supervisor does it. One that never gets up is a fault of the run (`untilUp`). */
  #giveUpStart(child) {
    this.#isDoomed = true;
    this.history.add('startGivenUp', { server: this.name });
    child.kill('SIGKILL');
  }

  #log({ msg, jobId, level, chaos, ...more }) {
    delete more.time;
    if (msg === 'listening') return;
    if (msg === 'fail-point' && more.signal === 'SIGKILL') this.#isDoomed = true;
    this.history.add(chaos ? 'preload' : 'log', { server: this.name, level, msg, jobId, ...more });
  }

  #ended(child, code, signal) {
    if (child === this.#child) this.port = undefined;
    this.history.add('serverEnded', { server: this.name, code, signal, isExpected: this.#isDoomed });
    this.#control.armed = undefined;
  }
}
