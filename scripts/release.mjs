// Makes a release: its version, its part of the changelog, and its commit in releases.json. The tag is made by the workflow
// `release` when that file reaches main.
//
//   npm run release -- 0.2.0                   two commits: the release, and its entry in releases.json
//   node scripts/release.mjs --check           whether versions, changelog, releases and history agree
//   node scripts/release.mjs --list            a line "version commit" for each release
//   node scripts/release.mjs --notes 0.2.0     its part of the changelog
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ROOT } from './prepare.mjs';
import { checkReleases, notesOf, release } from './release/changelog.mjs';

const CHANGELOG = join(ROOT, 'CHANGELOG.md');
const RELEASES = join(ROOT, 'releases.json');
const PACKAGE = join(ROOT, 'package.json');

const read = (path) => readFileSync(path, 'utf8');
const releases = () => JSON.parse(read(RELEASES));
const git = (...args) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { check: { type: 'boolean' }, list: { type: 'boolean' }, notes: { type: 'string' } },
});

try {
  if (values.check) check();
  else if (values.list) for (const { version, commit } of releases()) console.log(`${version} ${commit}`);
  else if (values.notes) console.log(notesOf(read(CHANGELOG), values.notes));
  else make(positionals[0]);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

function check() {
  const { version } = JSON.parse(read(PACKAGE));
  const isShallow = git('rev-parse', '--is-shallow-repository') === 'true';
  const faults = checkReleases({
    version,
    changelog: read(CHANGELOG),
    releases: releases(),
    // A shallow clone does not know.
    isInHistory: (commit) => isShallow || isAncestor(commit),
  });
  if (faults.length > 0) throw new Error(faults.join('\n'));
  console.log(`${releases().length} release(s), the last one ${releases().at(-1).version}`);
}

function isAncestor(commit) {
  try {
    git('merge-base', '--is-ancestor', commit, 'HEAD');
    return true;
  } catch {
    return false;
  }
}

function make(version) {
  if (git('status', '--porcelain') !== '') throw new Error('Commit or put away what is changed here first.');
  const date = new Date().toISOString().slice(0, 10);
  // Throws before anything is written.
  const changelog = release(read(CHANGELOG), { version, date, releases: releases() });
  writeFileSync(CHANGELOG, changelog);
  execFileSync('npm', ['version', version, '--no-git-tag-version'], { cwd: ROOT, stdio: 'ignore' });
  git('commit', '-qam', `chore: release ${version}`);
  const entry = { version, commit: git('rev-parse', 'HEAD'), date };
  writeFileSync(RELEASES, `${JSON.stringify([...releases(), entry], null, 2)}\n`);
  git('commit', '-qam', `chore: the commit of release ${version}`);
  console.log(`${version} is committed. Push main: the tag v${version} and the release are made there.`);
}
