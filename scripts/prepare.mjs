// What every script of this folder needs before it can start: the right Node, the libraries, the built service.
// Plain Node without dependencies: it runs in a fresh clone, where node_modules does not exist yet.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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
const DRIVER = '@photostructure/sqlite';
const SIGN_OF_LIFE_MS = 5_000;
const NETWORK_FAULT = /ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ERR_SOCKET_TIMEOUT/;

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

/** @throws PrepareError where nothing can be written there. */
function checkWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new PrepareError(`${folder} cannot be written to (${error.code}). Take a checkout that is yours.`);
  }
}

/** Where a Python is looked for, in this order; a version manager's own may be closed to the user of scripts. */
export const PYTHONS = ['python3', '/usr/bin/python3', '/usr/local/bin/python3'];

/** The version of the first Python that is new enough to run scripts, or undefined when there is none. */
export function findPython() {
  for (const python of process.env.PROCESS_PYTHON ? [process.env.PROCESS_PYTHON] : PYTHONS) {
    const found = spawnSync(python, ['-c', 'import platform; print(platform.python_version())'], {
      encoding: 'utf8',
    });
    const version = found.status === 0 ? found.stdout.trim() : undefined;
    if (version && isAtLeast(version, LEAST_PYTHON)) return version;
  }
  return undefined;
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
  checkWritable(ROOT);
  if (!isInstalledByHand() || !canLoadDatabase()) {
    log('Installing the libraries (npm ci): half a minute the first time.');
    const tellIfUnreachable = setTimeout(() => tellOfNetwork(log), 5_000);
    await run('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
      log,
      progress: installProgress,
      explain: explainInstall,
    }).finally(() => clearTimeout(tellIfUnreachable));
    if (!canLoadDatabase())
      throw new PrepareError(
        `The database driver (${DRIVER}) has no part for this platform (${process.platform}-${process.arch}). Linux, macOS and Windows on x64 and arm64 have one.`,
      );
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
  checkWritable(ROOT);
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

function readOr(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function mtimeOr(path) {
  return existsSync(path) ? statSync(path).mtimeMs : undefined;
}

/** Native parts belong to one platform; what fits this version of Node may not fit another. */
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

/** In a process of its own: a module built for another platform can crash the one that loads it. */
function canLoadDatabase() {
  const code = `new (require('${DRIVER}').DatabaseSync)(':memory:').close()`;
  return spawnSync(process.execPath, ['-e', code], { cwd: ROOT, stdio: 'ignore' }).status === 0;
}

/** How far npm is, by the packages that are in place. */
function installProgress() {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  // The optional ones are for other platforms as a rule.
  const listed = Object.keys(packages).filter((path) => path !== '' && !packages[path].optional);
  const present = listed.filter((path) => existsSync(join(ROOT, path, 'package.json')));
  return `${present.length} of ${listed.length} packages`;
}

/** npm itself says nothing for minutes when its registry does not answer. */
function tellOfNetwork(log) {
  const ping = spawn('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=10000', '--loglevel=error'], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
    shell: process.platform === 'win32',
  });
  let output = '';
  ping.stderr.on('data', (data) => (output += data));
  ping.once('error', () => undefined);
  ping.once('close', (code) => {
    if (code !== 0 && NETWORK_FAULT.test(output)) log(`… ${registrySentence(output)} It is tried again.`);
  });
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

function explainInstall(output) {
  if (NETWORK_FAULT.test(output)) return registrySentence(output);
  // npm tells what is wrong first, and how it is used after that.
  const words = output.split('\n').filter((line) => /^npm error +\S/.test(line));
  return `npm ci failed:\n${words.slice(0, 8).join('\n') || lastLines(output, 10)}${keep(output)}`;
}

function registrySentence(output) {
  const [code] = NETWORK_FAULT.exec(output);
  return `npm cannot reach its registry (${code}). Check the network or the proxy settings ("npm config get registry").`;
}

/** All words go to a file: whoever needs them finds them, nobody else has to read them. */
function keep(output) {
  const path = join(mkdtempSync(join(tmpdir(), 'maps-install-')), 'npm.log');
  writeFileSync(path, output);
  return `\nThe full output is in ${path}.`;
}

function lastLines(text, count) {
  return text.trim().split('\n').slice(-count).join('\n');
}

/** Runs a command in silence, with a sign of life, and throws what `explain` makes of its output when it fails. */
async function run(command, args, { log, explain, progress = () => '' }) {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    shell: process.platform === 'win32',
    // A group of its own, to be ended as a whole: an npm that goes on alone spoils the next installation.
    detached: process.platform !== 'win32',
  });
  const forget = endWithUs(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  const startedAt = Date.now();
  const alive = setInterval(
    () =>
      log(`… ${[`${Math.round((Date.now() - startedAt) / 1000)} s`, progress()].filter(Boolean).join(', ')}`),
    SIGN_OF_LIFE_MS,
  );
  const code = await new Promise((done) => {
    child.once('error', (error) => ((output += error.message), done(1)));
    child.once('close', done);
  }).finally(() => {
    clearInterval(alive);
    forget();
  });
  if (code !== 0) throw new PrepareError(explain(output));
}

/** Ends what a child has started when this process ends or is told to; returns what takes that back. */
function endWithUs(child) {
  const end = () => {
    try {
      process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  };
  const codes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
  const leave = (signal) => process.exit(codes[signal]);
  process.once('exit', end);
  for (const signal of Object.keys(codes)) process.once(signal, leave);
  return () => {
    process.off('exit', end);
    for (const signal of Object.keys(codes)) process.off(signal, leave);
  };
}
