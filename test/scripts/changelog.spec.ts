import { describe, expect, it } from '@jest/globals';
import { checkReleases, notesOf, release } from '../../scripts/release/changelog.mjs';

const CHANGELOG = `# Changelog

## Unreleased

- New things.

## 0.1.0 – 2026-11-24

- The first version.
`;
const FIRST = { version: '0.1.0', commit: 'a'.repeat(40), date: '2026-11-24' };

describe('release', () => {
  const next = { version: '0.2.0', date: '2027-01-02', releases: [FIRST] };

  it('puts what is unreleased under the version, and begins anew above it', () => {
    const changed = release(CHANGELOG, next);
    expect(notesOf(changed, 'Unreleased')).toBe('');
    expect(notesOf(changed, '0.2.0')).toBe('- New things.');
    expect(notesOf(changed, '0.1.0')).toBe('- The first version.');
  });

  it.each([
    ['that is none', { ...next, version: 'next' }, 'Name the new version'],
    ['that is not above the last one', { ...next, version: '0.1.0' }, '0.1.0 is not above 0.1.0'],
    ['for which nothing is told', { ...next, releases: [] }, 'nothing under "Unreleased"', '## Unreleased\n'],
  ])('refuses a version %s', (_, how, why, changelog = CHANGELOG) => {
    expect(() => release(changelog, how)).toThrow(why);
  });
});

describe('checkReleases', () => {
  const state = { version: '0.1.0', changelog: CHANGELOG, releases: [FIRST], isInHistory: () => true };

  it('finds nothing where all agree', () => {
    expect(checkReleases(state)).toEqual([]);
  });

  it.each([
    [
      'another version of the package',
      { version: '0.2.0' },
      'package.json says 0.2.0, and the last release is 0.1.0.',
    ],
    [
      'a release without its part',
      { changelog: '## Unreleased' },
      'CHANGELOG.md has no part "0.1.0 – 2026-11-24".',
    ],
    ['a changelog that takes nothing in', { changelog: '## 0.1.0 – 2026-11-24' }, 'has no part "Unreleased"'],
    ['half a commit', { releases: [{ ...FIRST, commit: 'aaaa' }] }, '0.1.0 has no whole commit.'],
    [
      'a commit of another history',
      { isInHistory: () => false },
      'The commit of 0.1.0 is not in the history.',
    ],
    [
      'versions that fall',
      { releases: [{ ...FIRST, version: '0.2.0' }, FIRST] },
      '0.1.0 is not above the one before.',
    ],
  ])('finds %s', (_, change, fault) => {
    expect(checkReleases({ ...state, ...change }).join()).toContain(fault);
  });
});
