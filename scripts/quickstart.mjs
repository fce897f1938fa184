// From a fresh clone to a script that ran: checks, installs, builds, starts the service on this machine only, runs an
// example and shows what it left. Plain Node: in a fresh clone there is nothing else.
//
//   npm run quickstart            stays until Ctrl-C
//   npm run quickstart -- --exit  stops when the example has run; so it does without a terminal, and in CI
import { spawnSync } from 'node:child_process';
import { PrepareError, ROOT, checkNode, ensureBuilt, ensureInstalled, findPython } from './prepare.mjs';
import { whyNoContainers } from './quickstart/containers.mjs';
import { runBestExample } from './quickstart/example.mjs';
import { chooseRuntime } from './quickstart/runtime.mjs';
import { quoted, startService } from './quickstart/service.mjs';

const staysOn = process.stdin.isTTY && !process.env.CI && !process.argv.includes('--exit');
const log = (line = '') => console.log(line);

async function quickstart() {
  checkNode();
  await checkForPlaceToRun();
  await ensureInstalled({ log });
  await ensureBuilt({ log });
  const { warning, reason, variables } = await chooseRuntime();
  if (warning) log(`\n${warning}`);
  log(`${warning ? '' : '\n'}${reason}`);
  const service = await startService(variables);
  log(`The service listens at ${service.url}, for this machine only. Its data is in ${service.dataDir}.\n`);
  try {
    const succeeded = await runBestExample(service, log);
    sayWhatNext(service);
    if (!staysOn) return succeeded ? 0 : 1;
    await service.untilInterrupted();
    return 0;
  } finally {
    await service.stop();
    log('\nThe service is stopped.');
  }
}

/** Said before anything is installed, not after. */
async function checkForPlaceToRun() {
  if (findPython()) return;
  const why = await whyNoContainers(process.env.RUNNER_IMAGE ?? 'py-exec:latest');
  if (why === undefined) return;
  throw new PrepareError(
    `Scripts need something to run in: Python 3.9 or newer is not here, and ${why} Install Python, for example with "sudo apt-get install -y python3".`,
  );
}

function sayWhatNext({ url, startCommand }) {
  if (staysOn) log('\nTry next, in another terminal:');
  else
    log(
      `\nStart the service again with:\n  cd ${quoted(ROOT)}\n  ${startCommand}\nThen try, in another terminal:`,
    );
  log(`  cd ${quoted(ROOT)}`);
  if (url !== 'http://127.0.0.1:8000') log(`  export MAPS_SERVER=${url}`);
  log('  npx maps run examples/progress/script.py --follow');
  log('  npx maps list');
  log('  npx maps --help');
  if (spawnSync('curl', ['--version'], { stdio: 'ignore' }).status === 0) {
    log(`  curl -s ${url}/health`);
    log(`  curl -s ${url}/graphql -H 'content-type: application/json' \\`);
    log(`    -d '{"query":"{ jobs(first: 3) { edges { node { id name state } } } }"}'`);
  }
  if (staysOn) log(`\nCtrl-C stops the service. It is started again with: ${startCommand}`);
}

quickstart().then(
  (code) => process.exit(code),
  (error) => {
    // A sentence where we know what is wrong; everything where we do not.
    console.error(`\n${error instanceof PrepareError ? error.message : (error.stack ?? error)}`);
    process.exit(1);
  },
);
