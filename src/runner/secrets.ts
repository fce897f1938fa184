import { RUNNER_VARIABLES } from './variables.js';

/** Tells a runner that its secrets come as a line on its standard input (docs/runner-contract.md). */
export const SECRETS_FROM_STDIN = { [RUNNER_VARIABLES.secretsFrom]: 'stdin' } as const;

/** The line by which the values of secrets reach a runner. */
export function toSecretLine(values: ReadonlyMap<string, string>): string {
  return `${JSON.stringify(Object.fromEntries(values))}\n`;
}
