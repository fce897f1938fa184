import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { settledWithin } from '../../../../src/common/async/abort.js';
import type { WorkloadExit, WorkloadSpec } from '../../../../src/runtime/runtime-provider.js';
import { RuntimeUnavailableError } from '../../../../src/runtime/runtime.errors.js';
import type { SecretLookup } from '../../../../src/runtime/secret-line.js';
import { secretLine } from '../../../../src/runtime/secret-line.js';
import { SECRETS_FROM_STDIN } from '../../../../src/runner/secrets.js';
import { RUNNER_VARIABLES, workerVariables } from '../../../../src/runner/variables.js';
import { isRoot, runnerUser } from '../../../../src/workspace/runner-user.js';

export interface SubprocessOptions {
  readonly python: string;
  /** The runner's bundle. */
  readonly runnerPath: string;
  readonly secrets: SecretLookup;
}

/** Where the runner is read from: its user may have no way through the folders above it. */
const RUNNER_FD = 3;
/** How long a runner may take to say that its script was killed, before it is killed too. */
const LAST_WORD_MS = 1_000;
const LOOK_MS = 5;
/** Names of the scripts' homes, by which a test tells those of this server. */
export const HOME_PREFIX = `subprocess-${process.pid}-`;

/** One workload: the runner as a child of this process, and what the script makes below it. */
export class Subprocess {
  readonly createdAtMs = Date.now();
  readonly ended: Promise<WorkloadExit>;
  exit?: WorkloadExit;

  private constructor(
    readonly spec: WorkloadSpec,
    private readonly child: ChildProcess,
    private readonly home: string,
  ) {
    this.ended = once(child, 'exit').then(
      ([code, signal]) => (this.exit = toExit(code as number | null, signal as NodeJS.Signals | null)),
    );
  }

  /** @throws WorkloadStartError, RuntimeUnavailableError */
  static async start(
    spec: WorkloadSpec,
    { python, runnerPath, secrets }: SubprocessOptions,
  ): Promise<Subprocess> {
    const input = secretLine(spec.secrets, secrets);
    const home = await mkdtemp(join(tmpdir(), HOME_PREFIX));
    const user = runnerUser();
    await chown(home, user.uid, user.gid);
    const runner = openSync(runnerPath, 'r');
    try {
      const child = spawn(python, ['-u', `/dev/fd/${RUNNER_FD}`], {
        ...(isRoot() ? user : {}),
        cwd: '/',
        env: environmentOf(spec, home),
        stdio: [input === undefined ? 'ignore' : 'pipe', 'ignore', 'ignore', runner],
      });
      await once(child, 'spawn');
      child.stdin?.on('error', () => undefined).end(input);
      return new Subprocess(spec, child, home);
    } catch (error) {
      await rm(home, { recursive: true });
      throw new RuntimeUnavailableError('This host could not start a process.', error);
    } finally {
      closeSync(runner);
    }
  }

  /** Asks the runner to end its script. */
  terminate(): void {
    this.child.kill('SIGTERM');
  }

  /** Kills what the script has made, then the runner, unless that ends by itself and says how its script ended. */
  async kill(): Promise<void> {
    const begun = Date.now();
    while (!this.exit) {
      for (const pid of descendantsOf(this.child.pid!)) killQuietly(pid);
      if (Date.now() > begun + LAST_WORD_MS) this.child.kill('SIGKILL');
      await settledWithin(this.ended, LOOK_MS);
    }
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.home, { recursive: true, force: true });
  }
}

function environmentOf(spec: WorkloadSpec, home: string): Record<string, string> {
  const { jobDir, inputDir, outputDir, spoolDir } = spec.workspace;
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    LANG: 'C.UTF-8',
    HOME: home,
    [RUNNER_VARIABLES.jobDir]: jobDir,
    [RUNNER_VARIABLES.inputDir]: inputDir,
    [RUNNER_VARIABLES.outputDir]: outputDir,
    [RUNNER_VARIABLES.spoolDir]: spoolDir,
    ...(spec.secrets.length > 0 ? SECRETS_FROM_STDIN : {}),
    ...workerVariables(spec.worker),
  };
}

function toExit(exitCode: number | null, signal: NodeJS.Signals | null): WorkloadExit {
  if (exitCode !== null) return { kind: 'exited', exitCode, oomKilled: false };
  return { kind: 'signalled', signal: signal ? constants.signals[signal] : 0, oomKilled: false };
}

/** Those of a runner are all that its script has made: whoever loses its parent becomes the runner's child. */
function descendantsOf(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(descendantsOf)];
}

function childrenOf(pid: number): number[] {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const lists = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8'));
    return lists.flatMap((list) => list.split(' ').filter(Boolean).map(Number));
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
