// Both images, built here.
import { check } from './checks.mjs';
import { must, run } from './commands.mjs';

const BACKEND_IMAGE = 'maps-python-backend:latest';
export const RUNNER_IMAGE = 'py-exec:latest';

const BUILD_TIMEOUT_MS = 20 * 60_000;
const LOAD_TIMEOUT_MS = 10 * 60_000;
const LOAD_TRIES = 3;

export async function buildImages() {
  const env = await builder();
  const build = (args) => must('docker', ['build', '-q', ...args], { env, timeoutMs: BUILD_TIMEOUT_MS });
  await check(BACKEND_IMAGE, () => build(['-t', BACKEND_IMAGE, '.']).then(() => sizeOf(BACKEND_IMAGE)));
  await check(RUNNER_IMAGE, () =>
    build(['--target', 'latest', '-t', RUNNER_IMAGE, 'runner-image']).then(() => sizeOf(RUNNER_IMAGE)),
  );
}

/** The classic builder where its successor is not installed. */
export async function builder() {
  const { code } = await run('docker', ['buildx', 'version']);
  return code === 0 ? {} : { DOCKER_BUILDKIT: '0' };
}

async function sizeOf(image) {
  const bytes = await must('docker', ['image', 'inspect', '--format', '{{.Size}}', image]);
  return `${Math.round(Number(bytes) / 1e6)} MB`;
}

/**
 * Brings both images to the nodes by `command`. Tried again when it fails: the collector of containerd may remove the
 * layers of an image's former build while the new one is unpacked onto them.
 */
export async function loadImages(command) {
  for (let tries = 1; ; tries++) {
    try {
      await must('sh', ['-c', `${command} ${BACKEND_IMAGE} ${RUNNER_IMAGE}`], { timeoutMs: LOAD_TIMEOUT_MS });
      return tries === 1 ? undefined : `at the ${tries}. time`;
    } catch (error) {
      if (tries === LOAD_TRIES) throw error;
      console.log(`  again   ${error.message.split('\n').at(-1)}`);
    }
  }
}
