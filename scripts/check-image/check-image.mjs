import { run } from '../deployment/commands.mjs';
import { CHECKS, CONTAINER_CHECKS } from './checks/all.mjs';
import { Containers } from './containers.mjs';
import { runChecks } from './run-checks.mjs';

/** Prints a line for each point of the contract. Resolves with whether the image keeps all of them. */
export async function checkImage({
  image,
  contract,
  user,
  checks = [...CHECKS, ...CONTAINER_CHECKS],
  docker = 'docker',
  print = console.log,
}) {
  const found = await run(docker, ['image', 'inspect', '--format', '{{.Config.User}}', image]);
  if (found.code !== 0) {
    print(`The image ${image} cannot be looked at: ${found.stderr.trim()}`);
    print('Build or pull it first; DOCKER_HOST names an engine other than the usual one.');
    return false;
  }
  const declaredUser = found.stdout.trim();
  const runner = new Containers({ docker, image, user, folders: contract.RUNNER_FOLDERS, declaredUser });
  return runChecks(checks, { runner, contract }, print);
}
