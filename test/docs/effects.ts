import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { RunMark } from './marks.js';

/** Files by path, each with when it was changed last. */
export type Seen = Map<string, number>;

/** What is there already of the files that a block is to leave or to remove. */
export function lookAt(folder: string, { leaves, removes }: RunMark): Seen {
  const names = [...leaves.map(({ path }) => path), ...removes];
  const paths = names.flatMap((path) => matching(folder, path));
  return new Map(paths.map((path) => [path, statSync(path).ctimeMs]));
}

/** Throws unless the block did what its mark says. */
export function expectEffects(
  folder: string,
  mark: RunMark,
  before: Seen,
  code: number,
  printed: string,
): void {
  if (mark.stopsAt === undefined && code !== mark.endsWith)
    throw new Error(`It ended with ${code}, not ${mark.endsWith}.`);
  for (const expression of mark.prints)
    if (!expression.test(printed)) throw new Error(`It did not print ${String(expression)}.`);
  for (const path of mark.removes)
    if (!before.has(join(folder, path)) || existsSync(join(folder, path)))
      throw new Error(`It did not remove ${path}.`);
  for (const { path, holds } of mark.leaves) {
    const left = matching(folder, path).filter((file) => statSync(file).ctimeMs !== before.get(file));
    if (left.length === 0) throw new Error(`It did not leave ${path}.`);
    if (holds && !left.some((file) => holds.test(readFileSync(file, 'utf8'))))
      throw new Error(`${path} does not hold ${String(holds)}.`);
  }
}

/** The last part of the path may hold a star. */
function matching(folder: string, path: string): string[] {
  const parent = join(folder, dirname(path));
  if (!existsSync(parent)) return [];
  const parts = basename(path)
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const name = new RegExp(`^${parts.join('.*')}$`);
  return readdirSync(parent)
    .filter((entry) => name.test(entry))
    .map((entry) => join(parent, entry));
}
