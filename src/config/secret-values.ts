/**
 * The values of JOB_SECRETS, for the runtimes that hand them to jobs. They are in a private field, which neither JSON
 * nor `util.inspect` shows: a configuration that is logged by mistake gives none away.
 */
export class SecretValues {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [string, string]> = []) {
    this.#values = new Map(values);
  }

  /** Undefined when the server was not given this one; never empty. */
  get(name: string): string | undefined {
    return this.#values.get(name);
  }
}
