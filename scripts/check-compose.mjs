// Brings the service up with Docker Compose as a user would, uses it and takes it down again, with a project name and a data
// folder of its own. Leaves nothing but the images.
//
//   node scripts/check-compose.mjs [--skip-build]
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, expect, main, step } from './deployment/checks.mjs';
import { freePort, must, run, until } from './deployment/commands.mjs';
import { RUNNER_IMAGE, buildImages, builder } from './deployment/images.mjs';
import { Service, countedLines, countingScript } from './deployment/service.mjs';
import { ROOT, ensureBuilt, ensureInstalled } from './prepare.mjs';

const skipBuild = process.argv.includes('--skip-build');
const socket = process.env.DOCKER_SOCKET ?? '/var/run/docker.sock';
const folder = mkdtempSync(join(tmpdir(), 'maps-compose-'));
const dataDir = join(folder, 'data');
const envFile = join(folder, 'env');
const project = `maps-check-${process.pid}`;
const COMPOSE = join(ROOT, 'compose');
const token = randomBytes(24).toString('hex');
let command;
let env;

main(
  async () => {
    await ensureInstalled({ log: console.log });
    await ensureBuilt({ log: console.log });
    const port = await freePort();
    const service = new Service(`http://127.0.0.1:${port}`, token);

    step('images');
    if (skipBuild) console.log('  as they are');
    else await buildImages();
    env = { ...(await builder()), MAPS_ENV_FILE: envFile, API_TOKEN: '', DOCKER_GID: '' };
    command =
      (await run('docker', ['compose', 'version'])).code === 0 ? ['docker', 'compose'] : ['docker-compose'];

    step(`${command.join(' ')} up`);
    writeEnvFile({ API_TOKEN: '', PORT: port });
    await check('without a token nothing is started', async () => {
      const { code, stderr } = await compose(['up', '-d']);
      expect(code !== 0 && stderr.includes('Set API_TOKEN in .env'), `it ended with ${code}: ${stderr}`);
    });
    writeEnvFile({ API_TOKEN: token, PORT: port });
    await check('up -d', () => mustCompose(['up', '-d'], 20 * 60_000));
    await check('the service is healthy', async () => {
      const { status, runtime } = await until(() => service.health(), 'the service');
      expect(status === 'healthy' && runtime.name === 'docker' && runtime.healthy, JSON.stringify(runtime));
      return runtime.message;
    });
    await check('so says its health check', () =>
      until(
        async () => (await inspect('{{.State.Health.Status}}')) === 'healthy',
        'the health check',
        40_000,
      ),
    );
    await check('it runs as an unprivileged user with a read-only root', async () => {
      const found = await inspect('{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}');
      expect(found === '10001:10001 true [ALL]', found);
    });
    await check('it is reached from this machine only', async () => {
      const found = await inspect('{{(index .HostConfig.PortBindings "8000/tcp" 0).HostIp}}');
      expect(found === '127.0.0.1', found);
    });

    step('jobs');
    await service.checkExamples();
    await check('a log is seen while the job runs', () => service.checkLiveLog());
    await check('a job goes on while the service is restarted, and its log is whole', async () => {
      const id = await service.start(countingScript(20, 0.4));
      await mustCompose(['restart', 'backend']);
      await until(() => service.health(), 'the service');
      const { code, stdout } = await service.maps(['logs', '-f', id]);
      expect(code === 0 && stdout === countedLines(20), `it ended with ${code}:\n${stdout}`);
      const { state, attempt } = JSON.parse((await service.maps(['get', id, '--json'])).stdout);
      expect(state === 'SUCCEEDED' && attempt === 1, `${state} in attempt ${attempt}`);
    });

    step('down and up again');
    await check('jobs are still known', async () => {
      const ids = async () => (await service.maps(['list'])).stdout;
      const before = await ids();
      await mustCompose(['down']);
      await mustCompose(['up', '-d']);
      await until(() => service.health(), 'the service');
      expect((await ids()) === before, 'the list of jobs has changed');
    });
    await check('SIGTERM stops the service in time', async () => {
      const startedAt = Date.now();
      await mustCompose(['stop', 'backend']);
      const [code, seconds] = [await inspect('{{.State.ExitCode}}'), (Date.now() - startedAt) / 1000];
      expect(code === '0' && seconds < 5, `code ${code} after ${seconds} s`);
    });
  },
  async () => {
    step('cleaning up');
    if (command) {
      await check('down', () => mustCompose(['down', '--volumes', '--remove-orphans']));
      // The data are another user's; the engine may remove them where we may not.
      const args = ['--rm', '--user', '0:0', '--network', 'none', '-v', `${folder}:/folder`, RUNNER_IMAGE];
      await check(
        'the data folder',
        async () => void (await must('docker', ['run', ...args, 'rm', '-rf', '/folder/data'])),
      );
      await check('nothing is left', async () => {
        const filter = `label=com.docker.compose.project=${project}`;
        const left = await must('docker', ['ps', '-aq', '--filter', filter]);
        expect(left === '', `containers: ${left}`);
      });
    }
    rmSync(folder, { recursive: true, force: true });
  },
);

function writeEnvFile(values) {
  const all = {
    ...values,
    DATA_DIR: dataDir,
    DOCKER_GID: String(statSync(socket).gid),
    DOCKER_SOCKET: socket,
  };
  const lines = readFileSync(join(COMPOSE, '.env.example'), 'utf8').split('\n');
  const rest = lines.filter((line) => !Object.keys(all).some((name) => line.startsWith(`${name}=`)));
  writeFileSync(envFile, [...rest, ...Object.entries(all).map((entry) => entry.join('='))].join('\n'));
}

/** The file has the say: what this shell has set would win over it. */
function composeEnv() {
  const values = readFileSync(envFile, 'utf8')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line));
  return { ...env, ...Object.fromEntries(values.map((line) => line.split(/=(.*)/s))) };
}

function compose(args, timeoutMs = 120_000) {
  const all = [
    ...command.slice(1),
    '--project-directory',
    COMPOSE,
    '--env-file',
    envFile,
    '-p',
    project,
    ...args,
  ];
  return run(command[0], all, { env: composeEnv(), timeoutMs });
}

async function mustCompose(args, timeoutMs) {
  const { code, stdout, stderr } = await compose(args, timeoutMs);
  expect(code === 0, `${command.join(' ')} ${args.join(' ')} ended with ${code}:\n${stderr || stdout}`);
}

async function inspect(format) {
  const { stdout } = await compose(['ps', '-aq', 'backend']).then((found) =>
    found.code === 0 && found.stdout ? found : compose(['ps', '-q', 'backend']),
  );
  return must('docker', ['inspect', '--format', format, stdout.trim()]);
}
