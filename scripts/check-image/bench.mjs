import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { atEnd } from '../../tools/cleanup.mjs';

const MIB = 1024 * 1024;
const LOOK_MS = 20;
/** What a broken runner leaves running may write there for a moment longer. */
const REMOVAL = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 };

/** The folders of one workload, made as a server makes them, and the runners that are started with them. */
export class Bench {
  /** What the runner is asked; a check changes it before it starts one. */
  order = {
    version: 1,
    jobId: 'check-image',
    attempt: 1,
    env: {},
    timeoutSeconds: 60,
    graceSeconds: 5,
    maxLogBytes: MIB,
    maxOutputBytes: MIB,
    limits: { addressSpaceBytes: null, processes: null, openFiles: 1024 },
    secrets: [],
  };
  /** What the runner signs with; undefined until it is given a key. */
  key;
  /** What the runner that ended last said on its stderr. */
  complaint = '';
  #runs = [];

  constructor(root, { runner, contract, deadlineMs }) {
    this.removeFolders = atEnd(() => rm(root, REMOVAL));
    this.runner = runner;
    this.contract = contract;
    /** For whatever a check waits for. */
    this.deadlineMs = deadlineMs;
    const path = (name) => join(root, name);
    this.folders = { job: path('job'), input: path('input'), output: path('output'), spool: path('spool') };
  }

  static async open(setup) {
    const root = await mkdtemp(join(tmpdir(), 'maps-check-image-'));
    const bench = new Bench(root, setup);
    const { runner, contract } = setup;
    const { job, input, output, spool } = bench.folders;
    await chmod(root, 0o755);
    for (const folder of [job, input, output, spool]) await mkdir(folder);
    const { uid, gid } = runner.user;
    if (process.getuid?.() === 0) for (const folder of [output, spool]) await chown(folder, uid, gid);
    await writeFile(join(input, contract.REQUEST_FILE), '{"year":2026}');
    return bench;
  }

  /** Starts a runner that finds a script and the order. `input` is on its standard input. */
  async start(script, { variables = {}, input } = {}) {
    await this.handOver(script);
    return this.startRunner({ variables, input });
  }

  /** Starts one that finds what is there now: a worker finds nothing. */
  async startRunner({ variables = {}, input } = {}) {
    const started = await this.runner.start({ folders: this.folders, variables, input });
    const run = new Run(started, this);
    this.#runs.push(run);
    return run;
  }

  async run(script, options) {
    return (await this.start(script, options)).finish();
  }

  /** The script first, and the order by a rename, as a worker must find them. */
  async handOver(script, order = JSON.stringify(this.order)) {
    const path = join(this.folders.job, this.contract.ORDER_FILE);
    await writeFile(join(this.folders.job, this.contract.SCRIPT_FILE), script);
    await writeFile(`${path}.new`, order);
    await rename(`${path}.new`, path);
  }

  /** Puts a key where the runner looks for it. */
  async giveKey() {
    const { KEY_FILE, newKey, toKeyFile } = this.contract;
    this.key = { workload: 'runner-check-image', key: newKey(), attempt: this.order.attempt };
    this.order.signed = true;
    const path = join(this.folders.spool, KEY_FILE);
    await writeFile(path, toKeyFile(this.key), { mode: 0o600 });
    const { uid, gid } = this.runner.user;
    if (process.getuid?.() === 0) await chown(path, uid, gid);
  }

  async readLog() {
    const bytes = await readFile(join(this.folders.spool, this.contract.LOG_FILE)).catch(() =>
      Buffer.alloc(0),
    );
    return new LogContent(bytes, this.contract, this.key);
  }

  /** Where the runner has its folders. */
  get seenFolders() {
    return this.runner.targets ?? this.folders;
  }

  async close() {
    for (const run of this.#runs) await run.remove();
    await this.removeFolders();
  }
}

/** One runner. */
class Run {
  constructor(started, bench) {
    this.started = started;
    this.bench = bench;
  }

  /** Resolves with how it ended and what is in the log then. */
  async finish() {
    let timer;
    const late = new Promise((_, reject) => {
      const { deadlineMs } = this.bench;
      const fault = new Error(`the runner did not end within ${deadlineMs / 1000} s`);
      timer = setTimeout(() => reject(fault), deadlineMs);
    });
    const end = await Promise.race([this.started.ended, late]).finally(() => clearTimeout(timer));
    this.bench.complaint = end.complaint.trim();
    return Object.assign(await this.bench.readLog(), end);
  }

  signal(name) {
    return this.started.signal(name);
  }

  remove() {
    return this.started.remove();
  }

  async waitForOutput(text) {
    await this.#until(async () => (await this.bench.readLog()).stdout.includes(text), `“${text}” in the log`);
  }

  /** What a worker says once it waits. */
  async waitForReady() {
    const path = join(this.bench.folders.spool, this.bench.contract.READY_FILE);
    return this.#until(() => readFile(path, 'utf8').catch(() => undefined), 'the ready report');
  }

  async #until(condition, what) {
    const { deadlineMs } = this.bench;
    const giveUpAt = Date.now() + deadlineMs;
    for (;;) {
      const found = await condition();
      if (found) return found;
      if (Date.now() > giveUpAt) throw new Error(`${what} did not come within ${deadlineMs / 1000} s`);
      await delay(LOOK_MS);
    }
  }
}

/** The frames of a log. */
class LogContent {
  constructor(bytes, { parseFrames, findEnded, findStart }, key) {
    this.bytes = bytes.length;
    this.frames = parseFrames(bytes, 0);
    this.ended = findEnded(bytes);
    this.signedStart = key && findStart(bytes, key);
    this.signedEnd = key && findEnded(bytes, key);
  }

  get isEmpty() {
    return this.bytes === 0;
  }

  get kinds() {
    return [...new Set(this.frames.map(({ kind }) => kind))];
  }

  get stdout() {
    return this.#text('STDOUT');
  }

  get stderr() {
    return this.#text('STDERR');
  }

  payload(kind) {
    return this.frames.find((frame) => frame.kind === kind)?.payload.toString();
  }

  #text(stream) {
    const output = this.frames.filter((frame) => frame.kind === 'output' && frame.stream === stream);
    return Buffer.concat(output.map(({ payload }) => payload)).toString();
  }
}
