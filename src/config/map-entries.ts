/** The entries `name=value` of a variable that is a map. */
export function mapEntries(entries: readonly string[]): [name: string, value: string][] {
  return entries.map((entry) => {
    const at = entry.indexOf('=');
    return [entry.slice(0, at), entry.slice(at + 1)];
  });
}
