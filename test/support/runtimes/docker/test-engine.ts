import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { access, constants, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import Docker from 'dockerode';
import { crashAllOf, killProcessesOf, processesOf, removeRemains } from './engine-remains.js';
import { whyNoDocker } from './runtime-docker.js';
import { waitFor } from '../../wait-for.js';

export const ENGINE_IMAGE = 'py-exec:slim';
/** Part of the command line of every runner and its script. */
const RUNNER = 'job_runner.py';
/** How long an engine may take to serve, or to end: it stops its containers meanwhile. */
const PATIENCE_MS = 60_000;

/** Which daemons an engine consists of; containerd goes on without dockerd where each is a service of its own. */
type Daemon = 'containerd' | 'dockerd';
export const BOTH_DAEMONS: readonly Daemon[] = ['dockerd', 'containerd'];

/** Why no engine of our own can be started here, or undefined when one can. */
export async function whyNoTestEngine(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'Starting an engine takes root on Linux.';
  for (const program of ['dockerd', 'containerd', 'unshare'])
    if (!(await isOnPath(program))) return `There is no ${program} on this machine.`;
  return whyNoDocker(ENGINE_IMAGE);
}

/**
 * A Docker engine of the test's own, to be killed and started again. All that it keeps is below one temporary folder;
 * it shares nothing with the machine's own engine but the kernel, and has a network namespace of its own.
 */
export class TestEngine {
  private readonly daemons = new Map<Daemon, ChildProcess>();

  private constructor(private readonly folder: string) {}

  /** Starts one that has the runner image. */
  static async open(options: { liveRestore: boolean }): Promise<TestEngine> {
    // Sockets lie below it, whose paths are short: the folder of temporary files may be too deep.
    const engine = new TestEngine(await mkdtemp('/tmp/engine-'));
    try {
      await engine.configure(options);
      await engine.start();
      const image = await new Docker().getImage(ENGINE_IMAGE).get();
      const progress = await engine.client().loadImage(image);
      await once(progress.resume(), 'end');
      return engine;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  /** As in DOCKER_HOST. */
  get host(): string {
    return `unix://${this.socketPath}`;
  }

  client(): Docker {
    return new Docker({ socketPath: this.socketPath });
  }

  /** Starts whichever daemon does not run, and waits until the engine serves. `atOnce` is how no service manager does it. */
  async start({ atOnce = false } = {}): Promise<void> {
    if (!this.daemons.has('containerd')) {
      this.spawn('containerd', ['--config', join(this.folder, 'containerd.toml')]);
    }
    // A dockerd that starts before containerd serves takes dead containers for running ones.
    if (!atOnce)
      await waitFor(() => accepts(this.containerdPath), {
        deadlineMs: PATIENCE_MS,
        describe: () => 'the socket of containerd',
      });
    if (!this.daemons.has('dockerd')) {
      // In a network of its own: an engine without a bridge removes docker0, which is the machine's own engine's.
      this.spawn('dockerd', ['--config-file', join(this.folder, 'daemon.json')], ['unshare', '--net', '--']);
    }
    try {
      await waitFor(() => this.client().ping(), { deadlineMs: PATIENCE_MS, describe: () => 'the engine' });
    } catch (error) {
      throw new Error(`The engine does not serve: ${await this.lastWords()}`, { cause: error });
    }
  }

  /** Resolves when all of `daemons` have ended. SIGTERM is what an operator's restart sends. */
  async end(signal: 'SIGTERM' | 'SIGKILL', daemons: readonly Daemon[] = ['dockerd']): Promise<void> {
    const running = daemons.flatMap((name) => this.daemons.get(name) ?? []);
    for (const daemon of running) daemon.kill(signal);
    await waitFor(() => daemons.every((name) => !this.daemons.has(name)), {
      deadlineMs: PATIENCE_MS,
      describe: () => `the end of ${daemons.join(' and ')}`,
    });
  }

  /** Everything ends at once, containers too, as when the machine goes down. */
  async losePower(): Promise<void> {
    await crashAllOf(this.folder);
    await this.end('SIGKILL', BOTH_DAEMONS);
  }

  /** How many processes of runners are in its containers, also in those that it has forgotten; a job has two. */
  get runners(): number {
    return processesOf(this.folder, RUNNER).length;
  }

  async killRunners(): Promise<void> {
    await killProcessesOf(this.folder, RUNNER);
  }

  /** Ends the engine and removes all of it, whatever state it is in. */
  async close(): Promise<void> {
    await this.removeContainers().catch(() => undefined); // what is left of them goes with the rest
    await this.end('SIGTERM').catch(() => undefined);
    await this.end('SIGKILL', BOTH_DAEMONS);
    await removeRemains(this.folder);
  }

  private get socketPath(): string {
    return join(this.folder, 'docker.sock');
  }

  private get containerdPath(): string {
    return join(this.folder, 'containerd.sock');
  }

  /** One containerd of its own in any case: dockerd would take the machine's where there is one. */
  private async configure({ liveRestore }: { liveRestore: boolean }): Promise<void> {
    const below = (name: string): string => join(this.folder, name);
    await writeFile(
      below('containerd.toml'),
      `version = 2
root = "${below('c/root')}"
state = "${below('c/state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "${this.containerdPath}"
`,
    );
    await writeFile(
      below('daemon.json'),
      JSON.stringify({
        'data-root': below('data'),
        'exec-root': below('run'),
        pidfile: below('docker.pid'),
        hosts: [this.host],
        containerd: this.containerdPath,
        'cgroup-parent': `/${this.folder.split('/').at(-1)}`,
        'exec-opts': ['native.cgroupdriver=cgroupfs'],
        bridge: 'none',
        iptables: false,
        'ip-forward': false,
        'ip-masq': false,
        'live-restore': liveRestore,
      }),
    );
  }

  /** `within` are commands that become the daemon, each by itself: so its process is the one that was made. */
  private spawn(name: Daemon, args: string[], within: string[] = []): void {
    const log = openSync(this.logPath(name), 'a');
    const [command = name, ...rest] = [...within, name, ...args];
    const daemon = spawn(command, rest, { stdio: ['ignore', log, log], env: { PATH: process.env.PATH } });
    closeSync(log);
    this.daemons.set(name, daemon);
    const forget = (): void => void this.daemons.delete(name);
    daemon.once('exit', forget).once('error', forget);
  }

  private async removeContainers(): Promise<void> {
    const containers = await this.client().listContainers({ all: true });
    for (const { Id } of containers) await this.client().getContainer(Id).remove({ force: true });
  }

  private logPath(name: Daemon): string {
    return join(this.folder, `${name}.log`);
  }

  private async lastWords(): Promise<string> {
    const logs = await Promise.all(BOTH_DAEMONS.map((name) => readFile(this.logPath(name), 'utf8')));
    return logs.map((log) => log.slice(-2000)).join('\n');
  }
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.end());
  });
}

async function isOnPath(program: string): Promise<boolean> {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const found = await Promise.allSettled(
    folders.map((folder) => access(join(folder, program), constants.X_OK)),
  );
  return found.some(({ status }) => status === 'fulfilled');
}
