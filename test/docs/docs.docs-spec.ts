import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, buildMaps } from '../support/maps-cli.js';
import type { Block } from './blocks.js';
import { readPage } from './blocks.js';
import { whyNot } from './needs.js';
import { PageRun } from './page-run.js';
import { processVariables } from './service-variables.js';

/** Beyond a block's own deadline: starting and stopping a service around it. */
const AROUND_MS = 120_000;

const isRequired = (process.env.TEST_REQUIRE ?? '').split(',').includes('docs');

for (const page of pages()) describePage(page);

function pages(): string[] {
  const beneath = (folder: string): string[] =>
    readdirSync(join(ROOT, folder)).map((name) => join(folder, name));
  const examples = beneath('examples').flatMap((path) => (path.endsWith('.md') ? [path] : beneath(path)));
  return ['README.md', 'CONTRIBUTING.md', 'k8s/README.md', ...beneath('docs'), ...examples].filter((path) =>
    path.endsWith('.md'),
  );
}

function describePage(path: string): void {
  const { blocks, problems } = readPage(readFileSync(join(ROOT, path), 'utf8'));
  describe(path, () => {
    it('says of every block how it is run, or why it is not', () => expect(problems).toEqual([]));
    if (!blocks.some(({ mark }) => mark.kind === 'run')) return;
    let run: PageRun | undefined;
    beforeAll(async () => {
      await buildMaps();
      run = await PageRun.open(await processVariables());
    }, AROUND_MS);
    afterAll(() => run?.close(), AROUND_MS);
    let isSkipped = false;
    for (const block of blocks) {
      // A sample goes with the block above it.
      isSkipped = block.mark.kind === 'output' ? isSkipped : !isTested(path, block);
      if (block.mark.kind !== 'not run') testBlock(block, isSkipped, (block) => run!.run(block));
    }
  });
}

/** What cannot be run here is said, and a failure where TEST_REQUIRE names this tier. */
function isTested(path: string, { line, mark }: Block): boolean {
  if (mark.kind !== 'run') return false;
  const why = whyNot(mark.needs);
  if (why === undefined) return true;
  if (!isRequired) process.stderr.write(`SKIPPED ${path}:${line}: ${why}\n`);
  else
    it(`can run line ${line} here, as TEST_REQUIRE asks`, () => {
      throw new Error(`TEST_REQUIRE names docs, but: ${why}`);
    });
  return false;
}

function testBlock(block: Block, isSkipped: boolean, run: (block: Block) => Promise<void>): void {
  const { line, text, mark } = block;
  const seconds = mark.kind === 'run' ? mark.deadlineSeconds : 0;
  const does = mark.kind === 'output' ? 'shows what is printed' : 'does what it says';
  const [first = ''] = text.split('\n');
  (isSkipped ? it.skip : it)(`line ${line} ${does}: ${first}`, () => run(block), AROUND_MS + seconds * 1000);
}
