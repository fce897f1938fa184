// Runs the most telling example that works here, through the command that a user would type.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ROOT } from '../prepare.mjs';

const EXAMPLES = [
  { name: 'geojson-buffer', needs: ['geopandas', 'matplotlib'] },
  { name: 'csv-summary', needs: ['pandas'] },
  { name: 'hello', needs: [] },
];
const toQuestion = (names) => `import importlib.util
print(*[name for name in ${JSON.stringify(names)} if importlib.util.find_spec(name)])`;

/** Returns whether it succeeded. */
export async function runBestExample(service, log) {
  const present = await modulesThere(service);
  const { name } = EXAMPLES.find(({ needs }) => needs.every((module) => present.includes(module)));
  const args = argumentsOf(name);
  log(`$ npx maps ${args.join(' ')}`);
  const { code, jobId } = await runAndShow(args, service);
  if (code !== 0) {
    log(`\nThe example ended with code ${code}.`);
    return false;
  }
  await showOutputs(jobId, service, log);
  return true;
}

/** Asked by a job: what a script finds depends on where scripts run. */
async function modulesThere(service) {
  const names = [...new Set(EXAMPLES.flatMap(({ needs }) => needs))];
  const child = startMaps(['run', '-', '--follow', '--name', 'which libraries are there?'], service, 'pipe');
  child.stdin.end(toQuestion(names));
  const [answer] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return answer.trim().split(/\s+/);
}

function argumentsOf(name) {
  const folder = join('examples', name);
  const inputs = join(ROOT, folder, 'input');
  const files = existsSync(inputs) ? readdirSync(inputs) : [];
  return [
    'run',
    join(folder, 'script.py'),
    '--request',
    `@${join(folder, 'request.json')}`,
    ...files.flatMap((file) => ['--file', join(folder, 'input', file)]),
    '--follow',
  ];
}

/** The script's output goes to the terminal as it comes; of our own command's words the job's id is taken. */
async function runAndShow(args, service) {
  const child = startMaps(args, service, ['ignore', 'inherit', 'pipe']);
  let words = '';
  child.stderr.on('data', (data) => {
    words += data;
    process.stderr.write(data);
  });
  const code = await new Promise((done) => child.once('close', done));
  return { code, jobId: /^maps: job (\S+)$/m.exec(words)?.[1] };
}

async function showOutputs(jobId, service, log) {
  const child = startMaps(['get', jobId, '--json'], service, ['ignore', 'pipe', 'inherit']);
  const { outputs, timings } = JSON.parse(await text(child.stdout));
  log(`\nStarted in ${timings.startMs} ms, ran for ${timings.runMs} ms, and left:`);
  const width = Math.max(...outputs.map(({ path }) => path.length));
  for (const { path, size, url } of outputs)
    log(`  ${path.padEnd(width)}  ${String(Math.ceil(size / 1000)).padStart(5)} kB  ${service.url}${url}`);
}

function startMaps(args, service, stdio) {
  return spawn(process.execPath, [join(ROOT, 'dist', 'cli', 'main.js'), ...args], {
    cwd: ROOT,
    stdio,
    env: { ...process.env, MAPS_SERVER: service.url, MAPS_API_TOKEN: process.env.API_TOKEN ?? '' },
  });
}
