/**
 * What each path is called in a zip: itself, where that is a plain name on every system. Readers take a backslash for
 * a separator and `c:` for a drive, so both become underscores; a name that then is another file's gets a number.
 */
export function zipNames(paths: readonly string[]): string[] {
  const taken = new Set(paths);
  const numbers = new Map<string, number>();
  return paths.map((path) => {
    const plain = plainName(path);
    if (plain === path) return path;
    let name = plain;
    // Counted on per name, so that thousands of paths with one plain name do not try each other's numbers.
    let number = numbers.get(plain) ?? 1;
    while (taken.has(name)) name = `${plain}~${++number}`;
    numbers.set(plain, number);
    taken.add(name);
    return name;
  });
}

function plainName(path: string): string {
  return path
    .replace(/\\/g, '_')
    .replace(/^([a-zA-Z]):/, '$1_')
    .split('/')
    .map((part) => (part === '' || part === '.' || part === '..' ? '_' : part))
    .join('/');
}
