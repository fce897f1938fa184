// Runs inside the bare machine, in a fresh checkout: the README's two commands, and what the first one says to do next.
// Prints its figures; ends with 1 when anything is not as promised.
//
//   node .ci/bare/check.mjs quickstart|tests
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';

/** Far beyond the 60 s that are promised on quiet cores: a bound for a busy machine, so that nothing hangs for ever. */
const QUICKSTART_MS = 300_000;
const LISTEN_MS = 60_000;
const TEST_MS = 1_500_000;
const TRAP = '/usr/local/trap/calls';

const who = userInfo().username;
const faults = [];
const expect = (isRight, what) => isRight || faults.push(what);

await { quickstart: checkQuickstart, tests: checkTests }[process.argv[2]]();
expect(readFileSync(TRAP, 'utf8') === '', `a compiler was called: ${readFileSync(TRAP, 'utf8')}`);
for (const fault of faults) console.log(`bare, as ${who}: NOT AS PROMISED: ${fault}`);
console.log(
  `bare, as ${who}, ${process.argv[2]}: ${faults.length === 0 ? 'as promised' : `${faults.length} faults`}`,
);
process.exit(faults.length === 0 ? 0 : 1);

async function checkQuickstart() {
  const first = await timed('npm run quickstart', QUICKSTART_MS);
  expect(first.code === 0, `npm run quickstart ended with ${first.code}`);
  const line = first.lines.find(({ text }) => /^Hello/i.test(text));
  expect(line, 'the example printed no line');
  const again = await timed('npm run quickstart', QUICKSTART_MS);
  expect(again.code === 0, `npm run quickstart ended with ${again.code} when it was run again`);
  const figures = {
    firstLineSeconds: seconds(line?.afterMs),
    endSeconds: seconds(first.afterMs),
    cpuSeconds: first.cpuSeconds,
    againSeconds: seconds(again.afterMs),
  };
  console.log(`bare, as ${who}: quickstart ${JSON.stringify(figures)}`);
  await checkNextCommands(again.lines.map(({ text }) => text));
}

/** The printed lines, as a user would copy them: how to start the service again, then what to try. */
async function checkNextCommands(lines) {
  const block = (title) => {
    const from = lines.findIndex((text) => text.startsWith(title)) + 1;
    expect(from > 0, `it does not say "${title}"`);
    const length = lines.slice(from).findIndex((text) => !text.startsWith('  '));
    return lines.slice(from, length < 0 ? undefined : from + length).map((text) => text.trim());
  };
  const start = block('Start the service again with:');
  const service = spawn('bash', ['-ec', start.join('\n')], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const closed = new Promise((done) => service.once('close', done));
  try {
    expect(await isListening(service), `the service does not start with: ${start.join(' && ')}`);
    const commands = block('Then try, in another terminal:');
    expect(commands.length >= 4, 'it names no command to try');
    const setup = commands.filter((text) => /^(cd|export) /.test(text));
    for (const command of commands.filter((text) => !setup.includes(text))) {
      const tried = spawnSync('bash', ['-ec', [...setup, command].join('\n')], {
        cwd: '/',
        encoding: 'utf8',
      });
      console.log(`$ ${command}\n${tried.stdout}${tried.stderr}`);
      expect(tried.status === 0, `"${command}" ended with ${tried.status}`);
    }
  } finally {
    if (service.exitCode === null && service.signalCode === null) process.kill(-service.pid, 'SIGTERM');
    await closed;
  }
}

function isListening(service) {
  return new Promise((resolve) => {
    setTimeout(() => resolve(false), LISTEN_MS).unref();
    service.once('close', () => resolve(false));
    service.stdout.on('data', (data) => String(data).includes('"msg":"listening"') && resolve(true));
  });
}

async function checkTests() {
  const tests = await timed('npm test', TEST_MS);
  expect(tests.code === 0, `npm test ended with ${tests.code}`);
  const end = tests.lines.findLast(({ text }) => text !== '')?.text;
  expect(/^[1-9]\d* passed, 0 failed$/.test(end ?? ''), `npm test ends with "${end}"`);
  console.log(
    `bare, as ${who}: npm test ${JSON.stringify({ end, seconds: seconds(tests.afterMs), cpuSeconds: tests.cpuSeconds })}`,
  );
}

/** Runs a command line, passes on what it prints, and tells when each line came and what it cost. */
async function timed(command, limitMs) {
  console.log(`\n$ ${command}`);
  const startedAt = Date.now();
  const script = `TIMEFORMAT='CPU %U %S'; time ${command} 2>&1`;
  const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), limitMs);
  const lines = [];
  let pending = '';
  child.stdout.setEncoding('utf8').on('data', (data) => {
    process.stdout.write(data);
    const texts = (pending + data).split('\n');
    pending = texts.pop();
    for (const text of texts) lines.push({ text, afterMs: Date.now() - startedAt });
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (data) => (words += data));
  const code = await new Promise((done) => child.once('close', done));
  clearTimeout(timer);
  const [, user, system] = /CPU ([\d.]+) ([\d.]+)/.exec(words) ?? [];
  return { code, lines, afterMs: Date.now() - startedAt, cpuSeconds: Number(user) + Number(system) };
}

function seconds(ms) {
  return ms === undefined ? undefined : Math.round(ms / 100) / 10;
}
