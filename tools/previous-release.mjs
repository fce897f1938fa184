// Builds the newest release of releases.json from its commit, and prints the folder. Kept by its commit below node_modules, so
// that a second call costs nothing. Ends with 3 in a clone that has no such commit.
//
//   node tools/previous-release.mjs
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './paths.mjs';

const NOT_IN_CLONE = 'is not in the history of this clone: git fetch --unshallow';

/** A sentence for where there is none. */
export class NoPreviousRelease extends Error {}

/** @returns {{ version: string, checkout: string }} built, as `npm start` needs it */
export function previousRelease() {
  const { version, commit, checkout, isBuilt } = newestRelease();
  if (!isBuilt) build(commit, version, checkout);
  return { version, checkout };
}

/** @returns {{ checkout: string, unavailable: string | undefined }} and why it is not there, which takes minutes to build */
export function builtRelease() {
  const { version, commit, checkout, isBuilt } = newestRelease();
  const how = isKnown(commit) ? 'is not built: node tools/previous-release.mjs' : NOT_IN_CLONE;
  return { checkout, unavailable: isBuilt ? undefined : `Release ${version} ${how}` };
}

function newestRelease() {
  const { version, commit } = JSON.parse(readFileSync(join(ROOT, 'releases.json'), 'utf8')).at(-1);
  const checkout = join(ROOT, 'node_modules/.cache/maps-releases', commit);
  return { version, commit, checkout, isBuilt: existsSync(checkout) };
}

function build(commit, version, checkout) {
  if (!isKnown(commit)) throw new NoPreviousRelease(`Release ${version} ${NOT_IN_CLONE}`);
  const folder = `${checkout}.new`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = execFileSync('git', ['archive', commit], { cwd: ROOT, maxBuffer: 2 ** 30 });
  execFileSync('tar', ['x'], { cwd: folder, input: archive });
  const quietly = { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] };
  execFileSync('npm', ['ci', '--no-progress', '--loglevel=error'], quietly);
  execFileSync('npm', ['run', '--silent', 'build'], quietly);
  renameSync(folder, checkout);
}

function isKnown(commit) {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: ROOT, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(previousRelease().checkout);
  } catch (error) {
    if (!(error instanceof NoPreviousRelease)) throw error;
    console.error(error.message);
    process.exitCode = 3;
  }
}
