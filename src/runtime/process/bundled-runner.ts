import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import type { Interpreter } from './interpreter.js';
import { runCommand } from './run-command.js';

/** The package's own runner: three folders up both from `src/` and from `dist/`. */
export const RUNNER_SOURCES = fileURLToPath(new URL('../../../runner-image', import.meta.url));

interface Bundle {
  readonly interpreterId: string;
  readonly path: Promise<string>;
}

/**
 * The runner as one file of byte code, which `runner-image/bundle.py` makes: it starts at once, and can be handed over as a
 * descriptor. Another version of Python refuses it, so each interpreter gets its own.
 */
export class BundledRunner {
  private bundle?: Bundle;

  /** `folder` is where the files are kept, for later servers too. */
  constructor(
    private readonly folder: string,
    private readonly interpreter: Pick<Interpreter, 'executable'>,
    private readonly sources = RUNNER_SOURCES,
  ) {}

  /**
   * The file to run; another one once the interpreter was replaced.
   *
   * @throws RuntimeUnavailableError when it cannot be made; the next call tries again
   */
  async path(): Promise<string> {
    const interpreterId = idOf(this.interpreter.executable);
    if (this.bundle?.interpreterId !== interpreterId) {
      const bundle = { interpreterId, path: this.make(interpreterId) };
      bundle.path.catch(() => {
        if (this.bundle === bundle) this.bundle = undefined;
      });
      this.bundle = bundle;
    }
    return this.bundle.path;
  }

  private async make(interpreterId: string): Promise<string> {
    const digest = createHash('sha256').update(interpreterId);
    for (const path of await this.sourcePaths()) digest.update(await readFile(path));
    const target = join(this.folder, `.runner-${digest.digest('hex').slice(0, 16)}.pyc`);
    if (!(await exists(target))) await this.writeBundle(target);
    return target;
  }

  private async sourcePaths(): Promise<string[]> {
    const modules = await readdir(join(this.sources, 'runner'), { recursive: true });
    const names = modules.filter((name) => name.endsWith('.py')).sort();
    return ['bundle.py', 'loader.py', ...names.map((name) => join('runner', name))].map((name) =>
      join(this.sources, name),
    );
  }

  private async writeBundle(target: string): Promise<void> {
    const draft = `${target}.${process.pid}`;
    const program = join(this.sources, 'bundle.py');
    const { exitCode, stderr } = await runCommand(this.interpreter.executable, ['-I', program, draft]);
    if (exitCode !== 0)
      throw new RuntimeUnavailableError('The runner could not be prepared.', new Error(stderr));
    await rename(draft, target);
  }
}

/** Of one binary, whatever links lead to it. */
function idOf(executable: string): string {
  const { dev, ino, size, mtimeMs } = statSync(executable);
  return [dev, ino, size, mtimeMs].join(' ');
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
