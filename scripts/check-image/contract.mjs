import { fromDist } from '../../tools/paths.mjs';

const MODULES = [
  ...['ended', 'exit-codes', 'files', 'frames', 'key', 'order', 'ready', 'secrets', 'signature'],
  'variables',
];

/** The server's side of the contract, and the user its workloads run as. */
export async function loadContract() {
  const modules = await Promise.all(MODULES.map((name) => fromDist(`runner/${name}.js`)));
  const { runnerUser } = await fromDist('workspace/runner-user.js');
  return { contract: Object.assign({}, ...modules), user: runnerUser() };
}
