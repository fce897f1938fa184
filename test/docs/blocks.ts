import type { Mark } from './marks.js';
import { isMark, readMark } from './marks.js';

/** A fenced block of a page, and what the comment before it says of it. */
export interface Block {
  /** Of its fence, from 1. */
  line: number;
  language: string;
  text: string;
  mark: Mark;
}

export interface Page {
  blocks: Block[];
  /** What is wrong with the marks, each with its line. */
  problems: string[];
}

interface Fence {
  line: number;
  indent: string;
  end: string;
  language: string;
  lines: string[];
}

interface Comment {
  line: number;
  text: string;
}

const FENCE = /^(\s*)(`{3,}|~{3,})\s*(\S*)/;
const HINT =
  'Say before it how it is run, for example <!-- run: prints /regex/ -->, that it is <!-- output --> of the block above, or <!-- not run: why -->. CONTRIBUTING.md has the words.';

/** Takes a page apart. A block without a mark, a mark without a block and a mark that cannot be read are problems. */
export function readPage(text: string): Page {
  const page: Page = { blocks: [], problems: [] };
  let fence: Fence | undefined;
  let comment: Comment | undefined;
  let isCommentOpen = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (fence) {
      if (line.trim() === fence.end) {
        add(page, fence, comment);
        [fence, comment] = [undefined, undefined];
      } else fence.lines.push(line.startsWith(fence.indent) ? line.slice(fence.indent.length) : line);
    } else if (isCommentOpen && comment) {
      comment.text += ` ${line.trim()}`;
      isCommentOpen = !line.includes('-->');
    } else if (line.trim().startsWith('<!--')) {
      reportLonely(page, comment);
      comment = { line: index + 1, text: line.trim() };
      isCommentOpen = !line.includes('-->');
    } else if (FENCE.test(line)) fence = openFence(line, index + 1);
    else if (line.trim() !== '') {
      reportLonely(page, comment);
      comment = undefined;
    }
  }
  reportLonely(page, comment);
  if (fence) page.problems.push(`line ${fence.line}: the block has no end.`);
  return page;
}

function openFence(line: string, number: number): Fence {
  const [, indent = '', end = '', language = ''] = FENCE.exec(line) ?? [];
  return { line: number, indent, end, language, lines: [] };
}

function add(page: Page, { line, language, lines }: Fence, comment: Comment | undefined): void {
  const words = wordsOf(comment);
  if (!isMark(words)) {
    page.problems.push(`line ${line}: the block has no mark. ${HINT}`);
    return;
  }
  try {
    page.blocks.push({ line, language, text: lines.join('\n'), mark: readMark(words, language) });
  } catch (error) {
    page.problems.push(`line ${comment?.line}: ${(error as Error).message}`);
  }
}

/** Most likely it stood before a block once. */
function reportLonely(page: Page, comment: Comment | undefined): void {
  if (isMark(wordsOf(comment)))
    page.problems.push(`line ${comment?.line}: no block follows the mark "${wordsOf(comment)}".`);
}

function wordsOf(comment: Comment | undefined): string {
  return (comment?.text ?? '').replace(/^<!--\s*|\s*-->.*$/g, '');
}
