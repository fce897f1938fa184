// What a release does to the changelog, and what must agree between it, the versions and the list of releases. Pure.

const UNRELEASED = '## Unreleased';
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;

/**
 * The changelog with what is unreleased under the new version, and an empty part above it.
 *
 * @param {string} changelog
 * @param {{ version?: string, date: string, releases: { version: string }[] }} next
 * @returns {string}
 * @throws {Error} where the version is none, or not above the last one, or nothing is unreleased
 */
export function release(changelog, { version, date, releases }) {
  if (!VERSION.test(version ?? '')) throw new Error('Name the new version: npm run release -- 0.2.0');
  const last = releases.at(-1)?.version ?? '0.0.0';
  if (compare(version, last) <= 0) throw new Error(`${version} is not above ${last}, the last release.`);
  if (notesOf(changelog, 'Unreleased') === '')
    throw new Error('CHANGELOG.md has nothing under "Unreleased".');
  return changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## ${version} – ${date}`);
}

/**
 * The part of one version, or of `Unreleased`, without its heading; empty where there is none.
 *
 * @param {string} changelog
 * @param {string} version
 * @returns {string}
 */
export function notesOf(changelog, version) {
  const parts = changelog.split(/^## /m).slice(1);
  const part = parts.find((text) => text.startsWith(`${version}\n`) || text.startsWith(`${version} `));
  return part === undefined ? '' : part.slice(part.indexOf('\n') + 1).trim();
}

/**
 * What does not agree, each in a sentence.
 *
 * @param {{ version: string, changelog: string, releases: { version: string, commit: string, date: string }[],
 *   isInHistory: (commit: string) => boolean }} state
 * @returns {string[]}
 */
export function checkReleases({ version, changelog, releases, isInHistory }) {
  const faults = [];
  if (!changelog.includes(UNRELEASED)) faults.push('CHANGELOG.md has no part "Unreleased".');
  if (releases.at(-1)?.version !== version)
    faults.push(`package.json says ${version}, and the last release is ${releases.at(-1)?.version}.`);
  releases.forEach(({ version: each, commit, date }, at) => {
    if (!changelog.includes(`## ${each} – ${date}`))
      faults.push(`CHANGELOG.md has no part "${each} – ${date}".`);
    if (at > 0 && compare(each, releases[at - 1].version) <= 0)
      faults.push(`${each} is not above the one before.`);
    if (!/^[0-9a-f]{40}$/.test(commit)) faults.push(`${each} has no whole commit.`);
    else if (!isInHistory(commit)) faults.push(`The commit of ${each} is not in the history.`);
  });
  return faults;
}

function compare(one, other) {
  const [a, b] = [one, other].map((text) => VERSION.exec(text)?.slice(1).map(Number) ?? [0, 0, 0]);
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}
