import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The first command of a block that fails ends it, as a reader would stop there. Variables, functions and the folder are
 * kept for the next block. What bash itself keeps is read-only or comes back by itself. Nothing outlives the tests: when
 * they end, however that is, descriptor 3 ends too.
 */
const WRAPPER = `exec 2>&1
{ read -ru 3 _; kill -KILL 0; } </dev/null >/dev/null 2>&1 &
disown
exec 3<&-
keep() { { declare -p | grep -v '^declare -[a-zA-Z]*r'; declare -f; printf 'cd %q\\n' "$PWD"; } >"$MAPS_STATE"; }
[ ! -f "$MAPS_STATE" ] || . "$MAPS_STATE" 2>/dev/null
trap keep EXIT
set -eo pipefail
. "$MAPS_BLOCK"
`;

/** A command with everything that it starts, in a process group of its own. */
export class Running {
  output = '';
  readonly ended: Promise<number>;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly child: ChildProcess) {
    const group = child.pid ?? 0;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.listeners.forEach((listener) => listener());
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      // What it left running would hold the pipe open.
      child.once('exit', () => signalGroup(group, 'SIGKILL'));
      child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 137)));
    });
  }

  /** The exit code. What has not ended by then is killed. */
  async end(seconds: number): Promise<number> {
    const code = await within(seconds, this.ended);
    if (code !== undefined) return code;
    this.signal('SIGKILL');
    await this.ended;
    throw new Error(`It did not end within ${seconds} s.`);
  }

  async printed(expression: RegExp, seconds: number): Promise<void> {
    const seen = new Promise<boolean>((resolve) => {
      this.listeners.add(() => expression.test(this.output) && resolve(true));
    });
    const outcome = await within(
      seconds,
      Promise.race([seen, this.ended.then((code) => `it ended with ${code}`)]),
    );
    if (outcome === true || expression.test(this.output)) return;
    throw new Error(`It did not print ${String(expression)}: ${outcome ?? `not within ${seconds} seconds`}.`);
  }

  signal(signal: NodeJS.Signals): void {
    signalGroup(this.child.pid ?? 0, signal);
  }
}

/** A shell whose state goes on from one block to the next. */
export class Shell {
  constructor(
    private readonly stateDir: string,
    private readonly cwd: string,
    private readonly env: Record<string, string>,
  ) {}

  start(text: string, input = ''): Running {
    const block = join(this.stateDir, 'block.sh');
    writeFileSync(block, `${text}\n`);
    const child = spawn('bash', ['-c', WRAPPER], {
      cwd: this.cwd,
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
      env: { ...this.env, MAPS_STATE: join(this.stateDir, 'state.sh'), MAPS_BLOCK: block },
    });
    // A command need not read what it is given.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    return new Running(child);
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // All of it has ended.
  }
}

async function within<T>(seconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
