import { isRunnerVariable } from '../runner/variables.js';

/** How a variable may be named that a job asks for. */
export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What is wrong with a list of secrets: a job must not get what the server keeps for itself. Pure; shows no value. */
export function secretNameFaults(names: readonly string[], serverVariables: readonly string[]): string[] {
  const own = new Set(serverVariables.flatMap((name) => [name, `${name}_FILE`]));
  return names.flatMap((name) => {
    if (own.has(name)) return [`JOB_SECRETS must not name ${name}, which is the server's own`];
    if (isRunnerVariable(name)) return [`JOB_SECRETS must not name ${name}, which the runner sets or reads`];
    return [];
  });
}
