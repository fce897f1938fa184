/** A part of the configuration: a class whose properties are environment variables, see `Variable`, with their defaults. */
export interface ConfigPart {
  new (): object;
  /** Its heading on the reference page. */
  readonly title: string;
}
