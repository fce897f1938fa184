import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { findEnded } from './ended.js';
import { RUNNER_EXIT_CODES } from './exit-codes.js';
import {
  KEY_FILE,
  OVER_FILE,
  LOG_FILE,
  ORDER_FILE,
  READY_FILE,
  REQUEST_FILE,
  RUNNER_FOLDERS,
  SCRIPT_FILE,
} from './files.js';
import type { FrameKind, FrameStream } from './frames.js';
import { FRAME_HEADER_BYTES, FRAME_MAGIC, MAX_FRAME_PAYLOAD_BYTES, encodeFrame } from './frames.js';
import { UNFIT_VARIABLES } from './unfit-variables.js';
import { RUNNER_VARIABLES } from './variables.js';

const PAGE = readFileSync('docs/runner-contract.md', 'utf8');
/** What an image tells its own runner; a server sets none of them. */
const IMAGE_VARIABLES = ['RUNNER_MPL_CACHE', 'RUNNER_PASS_ENV'];
const FRAME_KINDS: readonly FrameKind[] = ['started', 'output', 'gap', 'ended'];
const FRAME_STREAMS: readonly FrameStream[] = ['NONE', 'STDOUT', 'STDERR'];

/** The module `contract` of the runner, as Python reads it. */
interface PythonContract {
  numbers: Record<string, number>;
  texts: Record<string, string>;
  headerBytes: number;
  magic: string;
  unfit: string[];
  startUp: string[];
}

const QUESTION = `
import json
from runner import contract
named = {name: value for name, value in vars(contract).items() if name.isupper()}
print(json.dumps({
    "numbers": {name: value for name, value in named.items() if isinstance(value, int)},
    "texts": {name: value for name, value in named.items() if isinstance(value, str)},
    "headerBytes": contract.HEADER.size,
    "magic": contract.MAGIC.decode(),
    "unfit": contract.UNFIT_VARIABLES,
    "startUp": contract.START_UP_VARIABLES,
}))
`;

/** The first cells of the table on the page that begins with these column titles, and the cells beside them. */
function tableOf(...titles: string[]): string[][] {
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim());
  const lines = PAGE.split('\n');
  const head = lines.findIndex((line) => titles.every((title, at) => cells(line)[at] === title));
  const rows = lines.slice(head + 2);
  return rows.slice(0, rows.indexOf('')).map(cells);
}

/** All that stands between backticks. */
function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}

/** `noJobCame` of TypeScript is `NO_JOB_CAME` of Python. */
function pythonName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function pythonSources(): string {
  const modules = readdirSync('runner-image/runner', { recursive: true, encoding: 'utf8' });
  const paths = modules.filter((name) => name.endsWith('.py')).map((name) => join('runner', name));
  return ['loader.py', ...paths].map((name) => readFileSync(join('runner-image', name), 'utf8')).join('\n');
}

describe('the contract is the same in TypeScript, in Python and on its page:', () => {
  let python: PythonContract;

  beforeAll(() => {
    const environment = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' };
    const how = { cwd: 'runner-image', env: environment, encoding: 'utf8' } as const;
    python = JSON.parse(execFileSync('python3', ['-c', QUESTION], how)) as PythonContract;
  });

  const numbersOf = (prefix: string): Record<string, number> =>
    Object.fromEntries(Object.entries(python.numbers).filter(([name]) => name.startsWith(prefix)));

  it('the exit codes', () => {
    const codes = Object.entries(RUNNER_EXIT_CODES).map(([name, code]) => [`EXIT_${pythonName(name)}`, code]);
    expect(numbersOf('EXIT_')).toEqual(Object.fromEntries(codes));
    expect(tableOf('code', 'meaning').map(([code]) => Number(code))).toEqual(
      Object.values(RUNNER_EXIT_CODES),
    );
  });

  it('the kinds and streams of frames', () => {
    const kinds = FRAME_KINDS.map((kind) => [kind, encodeFrame({ kind, payload: '' })[2]]);
    const streams = FRAME_STREAMS.map((stream) => [
      stream,
      encodeFrame({ kind: 'output', stream, payload: '' })[3],
    ]);
    for (const [kind, number] of kinds)
      expect([kind, python.numbers[pythonName(String(kind))]]).toEqual([kind, number]);
    for (const [stream, number] of streams.slice(1))
      expect([stream, python.numbers[String(stream)]]).toEqual([stream, number]);
    const rows = tableOf('offset', 'size', 'field').map(([, , field]) => field!);
    expect(rows[1]).toContain(kinds.map(([kind, number]) => `${number} \`${kind}\``).join(', '));
    expect(rows[2]).toContain(
      streams.map(([name, number]) => `${number} ${String(name).toLowerCase()}`).join(', '),
    );
  });

  it('the header of frames and its bounds', () => {
    const rows = tableOf('offset', 'size', 'field');
    const sizes = rows.map(([, size]) => Number(size));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    expect([python.headerBytes, bytes]).toEqual([FRAME_HEADER_BYTES, FRAME_HEADER_BYTES]);
    expect(rows.map(([offset]) => Number(offset))).toEqual(
      sizes.map((_, at) => sizes.slice(0, at).reduce((sum, size) => sum + size, 0)),
    );
    expect(python.magic).toBe(FRAME_MAGIC.toString());
    expect(rows[0]?.[2]).toContain(`("${FRAME_MAGIC.toString()}")`);
    expect(python.numbers['MAX_PAYLOAD']).toBe(MAX_FRAME_PAYLOAD_BYTES);
    expect(rows[3]?.[2]).toContain(`at most ${MAX_FRAME_PAYLOAD_BYTES.toLocaleString('en')}`);
    expect(PAGE).toContain(`plus ${python.numbers['SLACK_BYTES']! / 1024} KiB (all else)`);
  });

  it('folders and files', () => {
    const { job, input, output, spool } = RUNNER_FOLDERS;
    const files = {
      SCRIPT_FILE: `${job}/${SCRIPT_FILE}`,
      ORDER_FILE: `${job}/${ORDER_FILE}`,
      REQUEST_FILE: `${input}/${REQUEST_FILE}`,
      LOG_FILE: `${spool}/${LOG_FILE}`,
      READY_FILE: `${spool}/${READY_FILE}`,
      KEY_FILE: `${spool}/${KEY_FILE}`,
      OVER_FILE: `${spool}/${OVER_FILE}`,
    };
    const folders = { JOB_DIR: job, INPUT_DIR: input, OUTPUT_DIR: output, SPOOL_DIR: spool };
    expect(python.texts).toEqual({ ...files, ...folders });
    const found = tableOf('path', 'content', 'access');
    const paths = found.flatMap(([path]) => quoted(path!));
    expect(paths).toEqual([
      files.SCRIPT_FILE,
      files.ORDER_FILE,
      input,
      output,
      spool,
      files.KEY_FILE,
      '/tmp',
    ]);
    expect(found[2]?.[1]).toContain(`\`${REQUEST_FILE}\``);
    expect(PAGE).toContain(`\n## The spool: \`${files.LOG_FILE}\`\n`);
    expect(PAGE).toContain(`\n\`${files.READY_FILE}\`:\n`);
    expect(PAGE).toContain(`an empty file \`${files.OVER_FILE}\``);
  });

  it('the variables of the runner', () => {
    const known = [...Object.values(RUNNER_VARIABLES), ...IMAGE_VARIABLES].sort();
    const inPython = new Set([...pythonSources().matchAll(/"(RUNNER_[A-Z_]+)"/g)].map(([, name]) => name));
    const onPage = new Set(PAGE.match(/\bRUNNER_[A-Z_]+/g));
    expect([...inPython].sort()).toEqual(known);
    expect([...onPage].sort()).toEqual(known);
  });

  it('the variables that are unfit for a worker', () => {
    const listed = tableOf('names', 'read by').flatMap(([names]) => quoted(names!));
    expect(python.unfit).toEqual([...UNFIT_VARIABLES]);
    expect(listed).toEqual([...UNFIT_VARIABLES]);
  });

  it('the variables that only a new interpreter reads', () => {
    const listed = /is read only while a process starts \((.*?)\)/s.exec(PAGE)?.[1] ?? '';
    expect(
      quoted(listed)
        .map((name) => name.replace('*', ''))
        .sort(),
    ).toEqual([...python.startUp].sort());
  });

  it('what the last frame tells', () => {
    const section = PAGE.slice(PAGE.indexOf('- `ended`: JSON'));
    const sample = /```json\n(.*?)```/s.exec(section)?.[1] ?? '';
    const read = findEnded(encodeFrame({ kind: 'ended', payload: sample })) ?? {};
    const names = Object.keys(JSON.parse(sample) as object);
    expect(Object.keys(read).filter((name) => name !== 'atMs')).toEqual(names);
    const written = /'\{("exitCode".*?\}')/s.exec(pythonSources())?.[1] ?? '';
    expect([...written.matchAll(/"(\w+)":/g)].map(([, name]) => name)).toEqual(names);
  });
});
