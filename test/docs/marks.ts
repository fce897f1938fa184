/** What is to be done with a block, as the comment before it says. */
export type Mark = RunMark | { kind: 'not run'; why: string } | { kind: 'output'; isOfSameFields: boolean };

export interface RunMark {
  kind: 'run';
  /** A command that makes what the block needs and a reader has, a job for example. */
  after: string;
  /** Programs, `docker` (with the image of jobs) or `cluster`: without them the block is skipped. */
  needs: string[];
  /** What its output holds, both streams together. */
  prints: RegExp[];
  /** Files that it makes or changes (the name may hold a star), and what they then hold. */
  leaves: { path: string; holds: RegExp | undefined }[];
  /** Files that were there and are not any more. */
  removes: string[];
  endsWith: number;
  /** It is the service, and stays while the page goes on. */
  isServing: boolean;
  /** It goes on for ever, and gets a Ctrl-C when it has printed this. */
  stopsAt: RegExp | undefined;
  /** The service of the page does not run meanwhile. */
  isWithoutService: boolean;
  /** Words for a program. */
  args: string;
  /** Variables for a query, JSON in which the shell's own are replaced. */
  variables: string;
  /** The block is the content of this file. */
  file: string | undefined;
  /** What is run with the block as its input, where the block itself is no command. */
  by: string | undefined;
  deadlineSeconds: number;
}

const DEADLINE_SECONDS = 60;
const RUNNABLE = ['sh', 'bash', 'js', 'graphql'];

/** In the order in which they are tried; each takes what stands behind its words. */
const CLAUSES: [string, (mark: RunMark, rest: string) => void][] = [
  ['after', (mark, rest) => (mark.after = rest)],
  ['needs', (mark, rest) => mark.needs.push(...rest.split(/,\s*/))],
  ['prints', (mark, rest) => mark.prints.push(toRegExp(rest))],
  ['leaves', (mark, rest) => mark.leaves.push(toFile(rest))],
  ['removes', (mark, rest) => mark.removes.push(rest)],
  ['ends with', (mark, rest) => (mark.endsWith = toNumber(rest))],
  ['stops at', (mark, rest) => (mark.stopsAt = toRegExp(rest))],
  ['serves', (mark, rest) => (mark.isServing = toFlag(rest))],
  ['no service', (mark, rest) => (mark.isWithoutService = toFlag(rest))],
  ['arguments', (mark, rest) => (mark.args = rest)],
  ['variables', (mark, rest) => (mark.variables = rest)],
  ['file', (mark, rest) => (mark.file = rest)],
  ['within', (mark, rest) => (mark.deadlineSeconds = toNumber(rest.replace(/ s$/, '')))],
  ['by', (mark, rest) => (mark.by = rest)],
];
/** Only before one of its words does a semicolon begin a clause: it may stand in a command or an expression too. */
const BETWEEN_CLAUSES = new RegExp(`;\\s+(?=(?:${CLAUSES.map(([words]) => words).join('|')})(?:\\s|;|$))`);

export function isMark(words: string): boolean {
  return /^(run|not run|output)\b/.test(words);
}

/** @throws Error that says what cannot be read. */
export function readMark(words: string, language: string): Mark {
  const [, kind = '', rest = ''] = /^(run|not run|output)(?::\s+(.*))?$/.exec(words) ?? [];
  if (kind === 'not run' && rest) return { kind, why: rest };
  if (kind === 'output' && ['', 'same fields'].includes(rest))
    return { kind, isOfSameFields: rest === 'same fields' };
  if (kind !== 'run') throw new Error(`the mark "${words}" cannot be read.`);
  const mark = readClauses(rest);
  if (!RUNNABLE.includes(language) && mark.by === undefined && mark.file === undefined)
    throw new Error(`a block in "${language}" is no command: say "file NAME" or "by COMMAND".`);
  return mark;
}

function readClauses(text: string): RunMark {
  const mark: RunMark = {
    kind: 'run',
    after: '',
    needs: [],
    prints: [],
    leaves: [],
    removes: [],
    endsWith: 0,
    isServing: false,
    stopsAt: undefined,
    isWithoutService: false,
    args: '',
    variables: '{}',
    file: undefined,
    by: undefined,
    deadlineSeconds: DEADLINE_SECONDS,
  };
  for (const clause of text.split(BETWEEN_CLAUSES).filter(Boolean)) {
    const found = CLAUSES.find(([words]) => clause === words || clause.startsWith(`${words} `));
    if (!found) throw new Error(`the mark's "${clause}" is not known.`);
    const [words, take] = found;
    take(mark, clause.slice(words.length).trim());
  }
  return mark;
}

/** `/expression/`, with flags if need be; lines are lines. */
function toRegExp(text: string): RegExp {
  const [, source, flags = ''] = /^\/(.+)\/([a-z]*)$/.exec(text) ?? [];
  if (source === undefined) throw new Error(`"${text}" is no /regular expression/.`);
  return new RegExp(source, `m${flags}`);
}

function toFile(text: string): { path: string; holds: RegExp | undefined } {
  const [path = '', ...rest] = text.split(' ');
  return { path, holds: rest.length > 0 ? toRegExp(rest.join(' ')) : undefined };
}

function toNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`"${text}" is no number.`);
  return Number(text);
}

function toFlag(rest: string): true {
  if (rest) throw new Error(`nothing is known to follow here: "${rest}".`);
  return true;
}
