// Runs the tests, tier by tier, and says which tiers ran, which did not and why. Needs only Node and Python 3; what
// else is there (Docker, PostgreSQL, bubblewrap, cgroups) is found and used, and it ends with a list of both.
//
//   npm test                    every tier that can run here
//   node scripts/test.mjs unit  one tier or several: unit, runner, contract, kubernetes, e2e, docs, restarts, chaos
//   … --only docker             of these, files whose path matches, and chaos of that name
//
//   TEST_REQUIRE       tiers that must be able to run, comma separated: process (in a sandbox; without it, tests that
//                      are about something else use plain processes), process-cgroups, docker, docker-latest, postgres,
//                      kubernetes, kubernetes-restarts, docker-restarts, small-disk, docs; a skip there is a failure.
//                      docker-restarts starts an engine of its own: as root on Linux, with dockerd, containerd and
//                      unshare installed; small-disk mounts a tmpfs; docs needs the programs that the pages use
//   TEST_DATABASE_URL  a PostgreSQL server whose databases the tests may create and drop
//   KUBECONFIG         a cluster to test on: one node, this machine, with the image py-exec:slim and hostPath volumes
//   TEST_KUBE_RESTART  a command that kills a component of that cluster and starts it again: <command> NAME SECONDS
//   DOCKER_HOST        the Docker engine, where it is not at the usual place
//   TEST_DOCKER_RUNTIME  the OCI runtime of containers, where it is not the engine's default
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const reports = mkdtempSync(join(tmpdir(), 'maps-tests-'));

const ON_CLUSTER = 'test/contract/kubernetes/kubernetes-runtime';
const ALONE_ON_CLUSTER = `${ON_CLUSTER}-ends`;
const TIERS = {
  unit: () =>
    jest(
      'unit',
      ['src/', 'test/chaos/', 'test/scripts/', 'test/support/', 'test/docs/.*\\.spec'],
      ['--maxWorkers=2'],
    ),
  runner: () => pythonUnittest(),
  contract: () =>
    jest('contract', ['test/contract/'], ['--maxWorkers=2', `--testPathIgnorePatterns=${ON_CLUSTER}`]),
  kubernetes: async () =>
    both(
      await jest(
        'kubernetes',
        [ON_CLUSTER],
        ['--maxWorkers=2', `--testPathIgnorePatterns=${ALONE_ON_CLUSTER}`],
      ),
      // It fills the one node, and the pod that gives way must not be another suite's.
      await jest('kubernetes-alone', [ALONE_ON_CLUSTER], ['--runInBand']),
    ),
  e2e: () => jest('e2e', ['test/.*\\.e2e-spec'], ['--runInBand']),
  // The commands of README.md and docs/.
  docs: () => jest('docs', ['test/docs/.*\\.docs-spec'], ['--runInBand']),
  // Alone: they take the cluster away from whatever else uses it.
  restarts: () => jest('restarts', ['test/restarts/'], ['--runInBand']),
  chaos: () => chaos(),
};

const {
  values: { only },
  positionals: asked,
} = parseArgs({
  allowPositionals: true,
  options: { only: { type: 'string' } },
});
const unknown = asked.filter((name) => !(name in TIERS));
if (unknown.length > 0) {
  console.error(`There is no tier ${unknown.join(', ')}; there are: ${Object.keys(TIERS).join(', ')}.`);
  process.exit(2);
}

await ensureInstalled({ log: (line) => console.log(line) });
const names = asked.length > 0 ? asked : Object.keys(TIERS);
if (names.some((name) => ['e2e', 'docs', 'chaos'].includes(name)))
  await ensureBuilt({ log: (line) => console.log(line) });

const results = [];
const usedTiers = new Set();
const skippedTiers = new Set();
for (const name of names) {
  console.log(`\n== ${name} ==`);
  const started = Date.now();
  const result = await TIERS[name]();
  results.push({ name, seconds: Math.round((Date.now() - started) / 1000), ...result });
}
rmSync(reports, { recursive: true, force: true });
summarise();

function summarise() {
  console.log('\nTiers that ran:');
  for (const { name, passed, failed, skipped, seconds, crashed } of results) {
    const note = crashed ? ', did not finish properly' : '';
    console.log(`  ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s${note}`);
  }
  for (const [title, lines] of [
    ['Used:', usedTiers],
    ['Not run here:', skippedTiers],
  ]) {
    if (lines.size > 0) console.log(title);
    for (const line of [...lines].sort()) console.log(`  ${line}`);
  }
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const isBad = results.some((result) => result.failed > 0 || result.crashed);
  if (sum('skipped') > 0)
    console.log(`\n${sum('skipped')} skipped: what a runtime or this machine does not have`);
  console.log(`\n${sum('passed')} passed, ${sum('failed') + (isBad && sum('failed') === 0 ? 1 : 0)} failed`);
  process.exitCode = isBad ? 1 : 0;
}

async function jest(name, patterns, options) {
  const report = join(reports, `${name}.json`);
  const code = await run(process.execPath, [
    '--experimental-vm-modules',
    '--no-warnings=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    ...patterns.map((pattern) => (only ? pattern.replace('/', `/(?=.*(${only}))`) : pattern)),
    '--json',
    `--outputFile=${report}`,
    '--forceExit=false',
    '--passWithNoTests',
    ...options,
  ]);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    );
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    const isEmpty = only !== undefined && numPassedTests + numPendingTests + failed === 0;
    if (isEmpty) console.log(`No test of ${name} is in a file whose path matches ${only}.`);
    return {
      passed: numPassedTests,
      failed,
      skipped: numPendingTests,
      crashed: isEmpty || (code !== 0 && failed === 0),
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0, crashed: true };
  }
}

function both(first, second) {
  const add = (key) => first[key] + second[key];
  const crashed = first.crashed || second.crashed;
  return { passed: add('passed'), failed: add('failed'), skipped: add('skipped'), crashed };
}

async function pythonUnittest() {
  let output = '';
  const code = await run(
    'python3',
    ['-m', 'unittest', 'discover', '-s', 'runner-image/tests', '-t', 'runner-image'],
    (text) => (output += text),
  );
  const ran = Number(/^Ran (\d+) tests?/m.exec(output)?.[1] ?? 0);
  const count = (word) => Number(new RegExp(`${word}=(\\d+)`).exec(output)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  const skipped = count('skipped');
  return {
    passed: ran - failed - skipped,
    failed,
    skipped,
    crashed: ran === 0 || (code !== 0 && failed === 0),
  };
}

/** Kills servers under load, on every runtime that is here; each is a scenario that passes or fails. */
async function chaos() {
  const { chaosScenarios } = await import('../test/chaos/scenarios.mjs');
  const result = { passed: 0, failed: 0, skipped: 0, crashed: false };
  const scenarios = await chaosScenarios();
  for (const scenario of scenarios.filter(({ name }) => new RegExp(only ?? '').test(name)))
    result[await runScenario(scenario)] += 1;
  return result;
}

async function runScenario({ name, args, unavailable, used }) {
  const [runtime] = name.split('-');
  if (unavailable === undefined) {
    usedTiers.add(used ? `${runtime}: ${used}` : runtime);
    const code = await run(process.execPath, ['test/chaos/main.mjs', ...args]);
    return code === 0 ? 'passed' : 'failed';
  }
  if ((process.env.TEST_REQUIRE ?? '').split(',').includes(runtime)) {
    console.log(`TEST_REQUIRE names ${runtime}, but: ${unavailable}`);
    return 'failed';
  }
  skippedTiers.add(`${runtime}: ${unavailable}`);
  return 'skipped';
}

/** Passes everything on, and notes the lines by which tests say what they use, and what cannot run here. */
function run(command, args, onText = () => undefined) {
  const child = spawn(command, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FORCE_COLOR: '0' },
  });
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    let pending = '';
    from.setEncoding('utf8');
    from.on('data', (text) => {
      if (!isJestReport(text)) to.write(text);
      const lines = (pending + text).split('\n');
      pending = lines.pop();
      lines.forEach(note);
      onText(text);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}

function note(line) {
  const [, word, what] = /^(USED|SKIPPED) (.*)$/.exec(line) ?? [];
  if (word) (word === 'USED' ? usedTiers : skippedTiers).add(what);
}

/** With --outputFile jest still says where the report went. */
function isJestReport(text) {
  return text.startsWith('Test results written to:');
}
