import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, buildMaps } from '../support/service/maps-cli.js';
import type { Block, Page } from './blocks.js';
import { readPage } from './blocks.js';
import { whyNot } from './needs.js';
import { PageRun } from './page-run.js';
import { processVariables } from './service-variables.js';

/** Beyond a block's own deadline: starting and stopping a service around it. */
const AROUND_MS = 120_000;

const isRequired = (process.env.TEST_REQUIRE ?? '').split(',').includes('docs');

for (const path of pages()) {
  const page = readPage(readFileSync(join(ROOT, path), 'utf8'));
  describePage(path, page, await whyNotRun(page));
}

function pages(): string[] {
  const beneath = (folder: string): string[] =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
  const examples = beneath('examples').flatMap((path) => (path.endsWith('.md') ? [path] : beneath(path)));
  return ['README.md', 'CONTRIBUTING.md', 'k8s/README.md', ...beneath('docs'), ...examples].filter((path) =>
    path.endsWith('.md'),
  );
}

/** Why a block cannot be run on this machine, by its line. */
async function whyNotRun({ blocks }: Page): Promise<Map<number, string>> {
  const reasons = new Map<number, string>();
  let why: string | undefined;
  for (const { line, mark } of blocks) {
    if (mark.kind === 'not run') continue;
    // A sample goes with the block above it.
    if (mark.kind === 'run') why = await whyNot(mark.needs);
    if (why !== undefined) reasons.set(line, why);
  }
  return reasons;
}

function describePage(path: string, { blocks, problems }: Page, reasons: Map<number, string>): void {
  describe(path, () => {
    it('says of every block how it is run, or why it is not', () => expect(problems).toEqual([]));
    if (!blocks.some(({ mark }) => mark.kind === 'run')) return;
    let run: PageRun | undefined;
    beforeAll(async () => {
      await buildMaps();
      run = await PageRun.open(await processVariables());
    }, AROUND_MS);
    afterAll(() => run?.close(), AROUND_MS);
    for (const block of blocks) {
      const why = reasons.get(block.line);
      if (why !== undefined) skip(path, block, why);
      else if (block.mark.kind !== 'not run')
        it(titleOf(block), () => run!.run(block), AROUND_MS + secondsOf(block) * 1000);
    }
  });
}

/** Says so, and is a failure where TEST_REQUIRE names this tier. */
function skip(path: string, block: Block, why: string): void {
  if (!isRequired) {
    process.stderr.write(`SKIPPED ${path}:${block.line}: ${why}\n`);
    return it.skip(titleOf(block), () => undefined);
  }
  it(titleOf(block), () => {
    throw new Error(`TEST_REQUIRE names docs, but: ${why}`);
  });
}

function titleOf({ line, text, mark }: Block): string {
  const does = mark.kind === 'output' ? 'shows what is printed' : 'does what it says';
  return `line ${line} ${does}: ${text.split('\n')[0]}`;
}

function secondsOf({ mark }: Block): number {
  return mark.kind === 'run' ? mark.deadlineSeconds : 0;
}
