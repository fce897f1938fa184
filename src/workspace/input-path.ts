import { REQUEST_FILE } from '../runner/files.js';

const MAX_PATH_BYTES = 512;
const MAX_NAME_BYTES = 255;

/**
 * Why `path` cannot be the path of an input file, or undefined when it can: relative, made of plain names, not the
 * server's own `request.json`, and within what file systems take.
 */
export function inputPathFault(path: string): string | undefined {
  if (path === '') return 'must not be empty';
  // eslint-disable-next-line no-control-regex -- control characters are exactly what is refused here
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return 'must not contain control characters or backslashes';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `must be at most ${MAX_PATH_BYTES} bytes`;
  const names = path.split('/');
  if (path.startsWith('/')) return 'must be relative';
  if (names.some((name) => name === '' || name === '.' || name === '..'))
    return 'must not contain empty parts, "." or ".."';
  if (names.some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES))
    return `must have parts of at most ${MAX_NAME_BYTES} bytes`;
  if (path === REQUEST_FILE) return `must not be ${REQUEST_FILE}, which holds the request`;
  return undefined;
}

/** The paths that cannot exist beside another of the list: the same twice, or a file where another needs a folder. */
export function clashingInputPaths(paths: readonly string[]): string[] {
  const files = new Set(paths);
  const folders = new Set(paths.flatMap(parents));
  return [
    ...paths.filter((path, at) => paths.indexOf(path) !== at),
    ...[...files].filter((path) => folders.has(path) || parents(path).includes(REQUEST_FILE)),
  ];
}

function parents(path: string): string[] {
  const names = path.split('/');
  return names.slice(0, -1).map((_, at) => names.slice(0, at + 1).join('/'));
}
