import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { configurationPage } from '../../scripts/generate/configuration-page.mjs';

const ROOT = new URL('../../', import.meta.url);

/** The names that the sources declare as variables, read as text: what no list of parts holds is found, too. */
function declaredVariables(): string[] {
  const sources = readdirSync(new URL('src/', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(new URL(`src/${path}`, ROOT), 'utf8'));
  return sources.flatMap((source) => {
    const declarations = source.split(/^ {2}@Variable\(/m).slice(1);
    return declarations.map((text) => /^ {2}([A-Z][A-Z0-9_]*)\??: /m.exec(text)?.[1] ?? `none in ${text}`);
  });
}

describe('the reference page of the configuration', () => {
  it('has every variable that the sources declare, once, and no other', () => {
    const page = readFileSync(new URL('docs/configuration.md', ROOT), 'utf8');
    const shown = [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name]) => name);
    expect([...shown].sort()).toEqual(declaredVariables().sort());
  });

  it('has a heading and a table for each part', () => {
    const variable = { name: 'A', type: 'integer', unit: 'bytes', defaultText: '1', description: 'First.' };
    const page = configurationPage([
      { title: 'One', variables: [{ ...variable, secret: false }] },
      { title: 'Two', variables: [{ ...variable, name: 'B', unit: undefined, secret: true }] },
    ]);
    expect(page).toContain('\n## One\n\n| variable |');
    expect(page).toContain('\n| `A` | integer (bytes) | 1 | First. |\n\n## Two\n');
    expect(page).toContain(
      '\n| `B` | integer | 1 | First. Secret: `B_FILE` may name a file that holds it. |\n',
    );
  });
});
