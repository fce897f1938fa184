import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../support/service/maps-cli.js';

/** What a reader's checkout does not have, or has by other means. */
const NOT_COPIED = ['.git', '.env', 'node_modules', 'data', 'prof'];

/** A built checkout to be used up, with `maps` installed and room for what the shell and the service keep. */
export class Checkout {
  /** Open to every user: a server that is root gives its scripts another one. */
  private readonly root = mkdtempSync(join(tmpdir(), 'maps-docs-'));
  readonly folder = join(this.root, 'checkout');
  readonly stateDir = join(this.root, 'state');
  readonly dataDir = join(this.folder, 'data');
  readonly binDir = join(this.root, 'bin');

  constructor() {
    chmodSync(this.root, 0o755);
    for (const folder of [this.folder, this.stateDir, this.dataDir, this.binDir]) {
      mkdirSync(folder);
      chmodSync(folder, 0o755);
    }
    for (const entry of readdirSync(ROOT).filter((name) => !NOT_COPIED.includes(name)))
      cpSync(join(ROOT, entry), join(this.folder, entry), {
        recursive: true,
        // The compiler takes its notes of an earlier build by the times of files.
        preserveTimestamps: true,
        verbatimSymlinks: true,
      });
    symlinkSync(join(ROOT, 'node_modules'), join(this.folder, 'node_modules'));
    const command = `#!/bin/sh\nexec "${process.execPath}" "${join(this.folder, 'dist/cli/main.js')}" "$@"\n`;
    writeFileSync(join(this.binDir, 'maps'), command, { mode: 0o755 });
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
