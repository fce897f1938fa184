import { describe, expect, it } from '@jest/globals';
import { readPage } from './blocks.js';

const block = (mark: string, language = 'sh', text = 'true'): string =>
  `# Title\n\n${mark}\n\n\`\`\`${language}\n${text}\n\`\`\`\n`;

describe('a page', () => {
  it('has its blocks, each with its line and its mark', () => {
    const { blocks, problems } = readPage(
      block('<!-- run: prints /x; y/i; needs curl, jq -->', 'sh', 'a\nb'),
    );
    expect(problems).toEqual([]);
    expect(blocks).toMatchObject([
      { line: 5, language: 'sh', text: 'a\nb', mark: { prints: [/x; y/im], needs: ['curl', 'jq'] } },
    ]);
  });

  it('may have a mark of several lines, and a block in a list', () => {
    const { blocks, problems } = readPage(
      '- a list\n\n  <!-- run:\n  ends with 3 -->\n\n  ```sh\n  exit 3\n  ```\n',
    );
    expect(problems).toEqual([]);
    expect(blocks).toMatchObject([{ text: 'exit 3', mark: { endsWith: 3 } }]);
  });

  it('is at fault when a block has no mark', () => {
    const fault = /^line 5: the block has no mark\. Say before it/;
    expect(readPage(block('words')).problems).toEqual([expect.stringMatching(fault)]);
    expect(readPage(block('<!-- a remark -->', '')).problems).toEqual([expect.stringMatching(fault)]);
  });

  it.each([
    ['<!-- run: shows /x/ -->', 'sh', `the mark's "shows /x/" is not known.`],
    ['<!-- run: prints x -->', 'sh', '"x" is no /regular expression/.'],
    ['<!-- run: prints /x/ twice -->', 'sh', '"/x/ twice" is no /regular expression/.'],
    ['<!-- run: ends with zero -->', 'sh', '"zero" is no number.'],
    ['<!-- run: serves now -->', 'sh', 'nothing is known to follow here: "now".'],
    ['<!-- not run -->', 'sh', 'the mark "not run" cannot be read.'],
    ['<!-- output: of another -->', 'text', 'the mark "output: of another" cannot be read.'],
    ['<!-- run: prints /x/ -->', 'yaml', 'a block in "yaml" is no command: say "file NAME" or "by COMMAND".'],
  ])('is at fault when it says %s before a block in %s', (mark, language, fault) => {
    expect(readPage(block(mark, language)).problems).toEqual([`line 3: ${fault}`]);
  });

  it('is at fault when no block follows a mark', () => {
    const page = '<!-- run -->\n\nwords\n\n<!-- not run: for ever -->\n';
    expect(readPage(page).problems).toEqual([
      'line 1: no block follows the mark "run".',
      'line 5: no block follows the mark "not run: for ever".',
    ]);
  });

  it('is at fault when a block has no end', () => {
    expect(readPage('<!-- run -->\n```sh\ntrue\n').problems).toEqual(
      expect.arrayContaining(['line 2: the block has no end.']),
    );
  });
});
