// Stands for the `docker` command where `npm run check-image` is tried: what it calls a container is a plain process, which
// finds its folders by variables.
//
//   node fake-docker.mjs RUNNER STATE_FOLDER COMMAND [ARGUMENT]...
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [runner, stateFolder, command, ...args] = process.argv.slice(2);
const state = (name, what) => join(stateFolder, `${name}.${what}`);
const valuesOf = (option) => args.filter((_, at) => args[at - 1] === option);
const last = args.at(-1);

appendFileSync(join(stateFolder, 'calls'), `${[command, ...args].join(' ')}\n`);
const COMMANDS = { image: inspectImage, create, start, inspect, kill, rm: remove };
COMMANDS[command]();

function inspectImage() {
  if (last === 'there') return console.log('');
  console.error(`No such image: ${last}`);
  process.exitCode = 1;
}

function create() {
  const folders = valuesOf('--mount').map((text) => {
    const { source, target } = Object.fromEntries(text.split(',').map((part) => part.split('=')));
    return { source, target };
  });
  const inPlace = (value) => {
    const found = folders.find(({ target }) => value.startsWith(`${target}/`));
    return found ? value.replace(found.target, found.source) : value;
  };
  const variables = valuesOf('--env').map((text) => [
    text.slice(0, text.indexOf('=')),
    inPlace(text.slice(text.indexOf('=') + 1)),
  ]);
  const places = folders.map(({ source, target }) => [`RUNNER_${target.slice(1).toUpperCase()}_DIR`, source]);
  const env = { PATH: process.env.PATH, HOME: '/tmp', ...Object.fromEntries([...places, ...variables]) };
  writeFileSync(state(valuesOf('--name')[0], 'env'), JSON.stringify(env));
}

function start() {
  const env = JSON.parse(readFileSync(state(last, 'env'), 'utf8'));
  const stdin = args.includes('--interactive') ? 'inherit' : 'ignore';
  const child = spawn('python3', ['-u', runner], { env, stdio: [stdin, 'inherit', 'inherit'] });
  writeFileSync(state(last, 'pid'), String(child.pid));
  child.on('close', (code) => {
    writeFileSync(state(last, 'code'), String(code ?? 137));
    process.exitCode = code ?? 137;
  });
}

function inspect() {
  console.log(readFileSync(state(last, 'code'), 'utf8'));
}

function kill() {
  process.kill(pid(), `SIG${valuesOf('--signal')[0]}`);
}

function remove() {
  if (existsSync(state(last, 'pid')) && !existsSync(state(last, 'code'))) process.kill(pid(), 'SIGKILL');
}

function pid() {
  return Number(readFileSync(state(last, 'pid'), 'utf8'));
}
