import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { readPage } from './blocks.js';
import { whyNot } from './needs.js';
import { PageRun } from './page-run.js';

/** Each block is a shell of its own: on a busy machine that takes a while. */
jest.setTimeout(60_000);

/** Blocks that need no service: what is tried here is what a block may do wrong. */
describe('a run of a page', () => {
  let run: PageRun;
  beforeAll(async () => {
    run = await PageRun.open({});
  });
  afterAll(() => run.close());

  async function runBlock(clauses: string, text: string, language = 'sh'): Promise<void> {
    const mark = `<!-- run: no service${clauses && `; ${clauses}`} -->`;
    const { blocks, problems } = readPage(`${mark}\n\`\`\`${language}\n${text}\n\`\`\`\n`);
    expect(problems).toEqual([]);
    for (const block of blocks) await run.run(block);
  }

  it('keeps variables, functions and the folder from block to block', async () => {
    await runBlock('', 'name="a b"\nhello() { echo "hello $1"; }\nmkdir -p deep && cd deep');
    await runBlock('prints /^hello a b$/; prints /\\/deep$/', 'hello "$name"; pwd; cd ..');
  });

  it.each([
    ['ends otherwise', '', 'exit 3', 'It ended with 3, not 0.'],
    ['ends well instead of badly', 'ends with 126', 'true', 'It ended with 0, not 126.'],
    ['fails at first and not at last', '', 'cat nowhere\ntrue', 'It ended with 1, not 0.'],
    ['fails at the beginning of a pipe', '', 'cat nowhere | sort', 'It ended with 1, not 0.'],
    ['prints something else', 'prints /^two$/', 'echo one', 'It did not print /^two$/m.'],
    ['leaves nothing', 'leaves out/x.txt', 'mkdir -p out', 'It did not leave out/x.txt.'],
    ['leaves a file as it was', 'leaves package.json', 'cat package.json', 'It did not leave package.json.'],
    ['leaves another content', 'leaves x* /^two$/', 'echo one > x.txt', 'x* does not hold /^two$/m.'],
    ['removes nothing', 'removes package.json', 'rm -f package.jso', 'It did not remove package.json.'],
    ['does not end', 'within 1 s', 'echo on; sleep 600', 'It did not end within 1 s.'],
    ['ends before it is stopped', 'stops at /on/', 'echo off', 'It did not print /on/m: it ended with 0.'],
    ['is not what follows', 'after false', 'true', 'What comes before it ended with 1.'],
  ])('fails when a block %s', async (_what, clauses, text, message) => {
    await expect(runBlock(clauses, text)).rejects.toThrow(message);
  });

  it('shows what was printed when it fails', async () => {
    await expect(runBlock('', 'echo a clue >&2; false')).rejects.toThrow('It printed:\na clue');
  });

  it('stops what would go on, and ends what a block leaves running', async () => {
    // Short sleeps: a signal that comes while the shell starts one is lost on both, and found when that one ends.
    const waits = 'trap "touch stopped; exit 130" INT\necho ready\nwhile :; do sleep 0.1; done';
    await runBlock('stops at /^ready$/; leaves stopped', waits);
    // It would hold the output open.
    await runBlock('within 30 s', '(trap "" HUP INT TERM; sleep 600) &');
  });

  it('gives a block to the command that reads it', async () => {
    await runBlock('prints /^A: 1$/; by tr a-z A-Z', 'a: 1', 'yaml');
    await runBlock('file deep/a.yaml', 'a: 1', 'yaml');
    await runBlock('prints /^a: 1$/', 'cat deep/a.yaml');
  });

  it('compares a sample with what the block above it printed', async () => {
    const page = (sample: string): string =>
      `<!-- run: no service -->\n\`\`\`sh\necho one\n\`\`\`\n<!-- output -->\n\`\`\`text\n${sample}\n\`\`\`\n`;
    const runPage = async (text: string): Promise<void> => {
      for (const block of readPage(text).blocks) await run.run(block);
    };
    await runPage(page('o…e'));
    await expect(runPage(page('two'))).rejects.toThrow('The page shows:\ntwo');
  });

  it('says what is missing of what a block needs', async () => {
    expect(await whyNot(['bash', 'no-such-program'])).toBe('no-such-program is not here');
    expect(await whyNot(['bash'])).toBeUndefined();
  });
});
