import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import type { Interpreter } from './interpreter.js';

/** What of the host's system every sandbox sees, read-only. No more than programs and data that any package installs. */
const SYSTEM = [
  '/usr/bin',
  '/usr/lib',
  '/usr/lib32',
  '/usr/lib64',
  '/usr/libx32',
  '/usr/local/lib',
  '/usr/share/cartopy',
  '/usr/share/fontconfig',
  '/usr/share/fonts',
  '/usr/share/gdal',
  '/usr/share/javascript',
  '/usr/share/matplotlib',
  '/usr/share/mime',
  '/usr/share/proj',
  '/usr/share/python3',
  '/usr/share/zoneinfo',
  '/etc/alternatives',
  '/etc/fonts',
  '/etc/ld.so.cache',
  '/etc/localtime',
  '/etc/matplotlibrc',
  '/etc/mime.types',
];

/** Besides, with network INTERNET: how names are resolved and whose certificates are trusted. */
const INTERNET = ['/etc/resolv.conf', '/etc/ssl/certs', '/etc/ssl/openssl.cnf', '/usr/share/ca-certificates'];

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
  readonly always: readonly string[];
  readonly internet: readonly string[];
  /** Links as the host has them: `/lib` → `usr/lib`. */
  readonly links: readonly { path: string; target: string }[];
}

/** Chooses what the sandbox shows of this host. */
export function sandboxFolders(interpreter: Interpreter): SandboxFolders {
  const isLink = (path: string): boolean => lstatSync(path).isSymbolicLink();
  const rootFolders = ROOT_FOLDERS.filter((path) => existsSync(path));
  const python = interpreter.folders.flatMap((folder) => (TOO_WIDE.has(folder) ? [] : [folder]));
  return {
    always: outermost(
      [...SYSTEM, ...rootFolders.filter((path) => !isLink(path)), ...python].filter((path) =>
        existsSync(path),
      ),
    ),
    internet: INTERNET.filter((path) => existsSync(path)),
    links: rootFolders.filter(isLink).map((path) => ({ path, target: readlinkSync(path) })),
  };
}

/** Leaves out what is below another of the paths. */
export function outermost(paths: readonly string[]): string[] {
  const distinct = [...new Set(paths)];
  return distinct.filter((path) => !distinct.some((other) => path.startsWith(`${other}/`)));
}
