/** How a variable may be named that a job asks for. */
export const SECRET_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Set by the runner for every script, or read by what starts it before it is the script's turn. */
const RUNNER_VARIABLES = /^(PATH|HOME|JOB_ID|INPUT_DIR|OUTPUT_DIR|REQUEST_PATH|(RUNNER_|LD_|PYTHON).*)$/;

/** What is wrong with a list of secrets: a job must not get what the server keeps for itself. Pure; shows no value. */
export function secretNameFaults(names: readonly string[], serverVariables: readonly string[]): string[] {
  const own = new Set(serverVariables.flatMap((name) => [name, `${name}_FILE`]));
  return names.flatMap((name) => {
    if (own.has(name)) return [`JOB_SECRETS must not name ${name}, which is the server's own`];
    if (RUNNER_VARIABLES.test(name))
      return [`JOB_SECRETS must not name ${name}, which the runner sets or reads`];
    return [];
  });
}
