// What every script of this folder needs before it can start: the right Node, the libraries, the built service.
// Plain Node without dependencies: it runs in a fresh clone, where node_modules does not exist yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';

/** The folder of the checkout. */
export const ROOT = resolve(import.meta.dirname, '..');

const LEAST_NODE = [20, 19];
const LEAST_PYTHON = [3, 9];
/** Beside the libraries and the build, so that removing either folder forgets its mark too. */
const INSTALL_MARK = join(ROOT, 'node_modules', '.maps-installed');
const BUILD_MARK = join(ROOT, 'dist', '.maps-built');
const BUILD_INFO = join(ROOT, 'dist', '.tsbuildinfo');

/** Something is missing that only the user can provide; the message is the whole answer, no stack is wanted. */
export class PrepareError extends Error {}

/** @throws PrepareError when this Node is too old. */
export function checkNode() {
  const version = process.versions.node;
  if (!isAtLeast(version, LEAST_NODE)) {
    throw new PrepareError(
      `Node.js ${LEAST_NODE.join('.')} or newer is needed; this is ${version}. Get one from https://nodejs.org or with "nvm install 22".`,
    );
  }
}

/** The version of `python3`, or undefined when there is none that is new enough to run scripts and build modules. */
export function findPython() {
  const found = spawnSync('python3', ['-c', 'import platform; print(platform.python_version())'], {
    encoding: 'utf8',
  });
  const version = found.status === 0 ? found.stdout.trim() : undefined;
  return version && isAtLeast(version, LEAST_PYTHON) ? version : undefined;
}

/** What is missing to compile a native Node module; empty when all is there. */
export function missingBuildTools() {
  const missing = [];
  if (![process.env.CXX, 'c++', 'g++', 'clang++'].some((name) => name && answers(name)))
    missing.push('a C++ compiler');
  if (!answers('make') && process.platform !== 'win32') missing.push('make');
  if (!findPython()) missing.push('Python 3');
  return missing;
}

/**
 * Installs what package-lock.json lists, unless it is there already. `log` gets one sentence per call.
 *
 * @throws PrepareError
 */
export async function ensureInstalled({ log }) {
  checkNode();
  const wanted = installKey();
  if (readOr(INSTALL_MARK) === wanted) return;
  if (!isInstalledByHand() || !canLoadDatabase()) {
    const missing = missingBuildTools();
    if (missing.length > 0)
      log(
        `Not found here: ${missing.join(', ')}. The database module is downloaded ready-made where possible.`,
      );
    log('Installing the libraries (npm ci). The first time this takes a minute or two.');
    await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
      log,
      explain: (output) => explainInstall(output, missing),
    });
    if (!canLoadDatabase()) throw new PrepareError(buildToolsSentence(missing));
  }
  writeFileSync(INSTALL_MARK, wanted);
}

/**
 * Builds `dist/` unless it was built from just these sources.
 *
 * @throws PrepareError
 */
export async function ensureBuilt({ log }) {
  const wanted = sourceKey();
  // A build by hand since our mark may have been of other sources.
  const isOurs = (mtimeOr(BUILD_MARK) ?? 0) >= (mtimeOr(BUILD_INFO) ?? Infinity);
  if (isOurs && readOr(BUILD_MARK) === wanted && existsSync(join(ROOT, 'dist', 'main.js'))) return;
  log('Building the service (npm run build).');
  // The compiler would trust its notes about files that are not there any more.
  if (!existsSync(join(ROOT, 'dist', 'main.js'))) rmSync(BUILD_INFO, { force: true });
  await run('npm', ['run', '--silent', 'build'], {
    log,
    explain: (output) => `The build failed:\n${lastLines(output, 20)}`,
  });
  writeFileSync(BUILD_MARK, wanted);
}

function isAtLeast(version, least) {
  const [major, minor] = version.split('.').map(Number);
  return major > least[0] || (major === least[0] && minor >= least[1]);
}

function answers(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

function readOr(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function mtimeOr(path) {
  return existsSync(path) ? statSync(path).mtimeMs : undefined;
}

/** Native modules belong to one platform and one Node ABI: another Node needs another installation. */
function installKey() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const machine = `${process.platform}-${process.arch}-${process.versions.modules}`;
  return `${createHash('sha256').update(lock).digest('hex')} ${machine}\n`;
}

/** Whether an `npm ci` or `npm install` that was not ours has put every listed version in place. */
function isInstalledByHand() {
  const installed = readOr(join(ROOT, 'node_modules', '.package-lock.json'));
  if (!installed) return false;
  const present = JSON.parse(installed).packages;
  const listed = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(listed).every(
    ([path, { version, optional }]) =>
      path === '' || (present[path] ? present[path].version === version : optional === true),
  );
}

/** In a process of its own: a module built for another Node can crash the one that loads it. */
function canLoadDatabase() {
  const code = "new (require('better-sqlite3'))(':memory:').close()";
  return spawnSync(process.execPath, ['-e', code], { cwd: ROOT, stdio: 'ignore' }).status === 0;
}

function sourceKey() {
  const hash = createHash('sha256').update(process.versions.node);
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.spec.ts'))
    .map((entry) => relative(ROOT, join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
  for (const file of [...files, 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'])
    hash.update(`\0${file}\0`).update(readFileSync(join(ROOT, file)));
  return `${hash.digest('hex')}\n`;
}

function explainInstall(output, missing) {
  if (/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ENETUNREACH/.test(output) && !/gyp/.test(output))
    return `npm cannot reach its registry. Check the network or the proxy settings ("npm config get registry"). npm said:\n${lastLines(output, 5)}`;
  if (/better-sqlite3|gyp/.test(output)) return `${buildToolsSentence(missing)}${keep(output)}`;
  // npm tells what is wrong first, and how it is used after that.
  const words = output.split('\n').filter((line) => /^npm error +\S/.test(line));
  return `npm ci failed:\n${words.slice(0, 8).join('\n') || lastLines(output, 10)}${keep(output)}`;
}

function buildToolsSentence(missing) {
  const need = missing.length > 0 ? ` It needs ${missing.join(' and ')} for that.` : '';
  return `The database module (better-sqlite3) could neither be downloaded ready-made nor compiled.${need} Install the tools with "${installCommand()}", then run this again.`;
}

function installCommand() {
  if (process.platform === 'darwin') return 'xcode-select --install';
  if (process.platform === 'win32') return 'winget install Microsoft.VisualStudio.2022.BuildTools';
  const commands = {
    'apt-get': 'sudo apt-get install -y build-essential python3',
    dnf: 'sudo dnf install -y gcc-c++ make python3',
    apk: 'sudo apk add build-base python3',
    pacman: 'sudo pacman -S --needed base-devel python',
  };
  const manager = Object.keys(commands).find(answers);
  return manager ? commands[manager] : 'your package manager: a C++ compiler, make and python3';
}

/** The compiler's own words go to a file: whoever needs them finds them, nobody else has to read them. */
function keep(output) {
  const path = join(mkdtempSync(join(tmpdir(), 'maps-install-')), 'npm.log');
  writeFileSync(path, output);
  return `\nThe full output is in ${path}.`;
}

function lastLines(text, count) {
  return text.trim().split('\n').slice(-count).join('\n');
}

/** Runs a command in silence, with a sign of life, and throws what `explain` makes of its output when it fails. */
async function run(command, args, { log, explain }) {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const startedAt = Date.now();
  const alive = setInterval(
    () => log(`… still at it (${Math.round((Date.now() - startedAt) / 1000)} s)`),
    20_000,
  );
  const code = await new Promise((done) => {
    child.once('error', (error) => ((output += error.message), done(1)));
    child.once('close', done);
  }).finally(() => clearInterval(alive));
  if (code !== 0) throw new PrepareError(explain(output));
}
