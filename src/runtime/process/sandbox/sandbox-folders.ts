import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Interpreter } from '../interpreter.js';

/**
 * What of the host's system every sandbox sees, read-only: programs, libraries and data as packages install them. One
 * folder instead of its many parts, because each mount costs a start some 0.1 ms.
 */
const SYSTEM = ['/usr', '/etc/alternatives', '/etc/fonts'];

/** Of what the operator has put there, only libraries are shown. */
const HIDDEN = '/usr/local';
const LIBRARIES = '/usr/local/lib';

/** Besides, with network INTERNET: how names are resolved and whose certificates are trusted. */
const INTERNET = ['/etc/resolv.conf', '/etc/ssl'];

/** Folders of an older layout, or links into `/usr` on a newer one. */
const ROOT_FOLDERS = ['/bin', '/lib', '/lib32', '/lib64', '/libx32'];

/** Never shown as a whole, also when an interpreter says that it lives there. */
const TOO_WIDE = new Set([
  '/',
  '/usr',
  '/usr/local',
  '/home',
  '/root',
  '/opt',
  '/etc',
  '/var',
  '/tmp',
  '/srv',
]);

export interface SandboxFolders {
  /** Shown read-only at the same path. */
  readonly system: readonly string[];
  /** Folders in `system` that an empty one covers. */
  readonly hidden: readonly string[];
  /** Shown read-only at the same path, after the covers. */
  readonly python: readonly string[];
  readonly internet: readonly string[];
  /** Links as the host has them: `/lib` → `usr/lib`. */
  readonly links: readonly { path: string; target: string }[];
}

/** Chooses what the sandbox shows of this host. */
export function sandboxFolders(interpreter: Interpreter): SandboxFolders {
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  const present = (paths: readonly string[]): string[] => paths.filter((path) => existsSync(path));
  const rootFolders = present(ROOT_FOLDERS);
  const system = present([...SYSTEM, ...rootFolders.filter((path) => !isLink(path))]);
  const needed = [LIBRARIES, dirname(interpreter.executable), ...interpreter.folders].filter(
    (path) => !TOO_WIDE.has(path),
  );
  return {
    system,
    hidden: present([HIDDEN]),
    python: outermost(present(needed)).filter((path) => !isShown(path, system)),
    internet: present(INTERNET),
    links: rootFolders.filter(isLink).map((path) => ({ path, target: readlinkSync(path) })),
  };
}

function isShown(path: string, folders: readonly string[]): boolean {
  const isBelow = (folder: string): boolean => path === folder || path.startsWith(`${folder}/`);
  return folders.some(isBelow) && !path.startsWith(`${HIDDEN}/`);
}

/** Leaves out what is below another of the paths. */
export function outermost(paths: readonly string[]): string[] {
  const distinct = [...new Set(paths)];
  return distinct.filter((path) => !distinct.some((other) => path.startsWith(`${other}/`)));
}
