import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SqliteConnection } from './sqlite-connection.js';

const PAGE = 4096;
/** https://www.sqlite.org/rescode.html */
const [BUSY, CORRUPT, FULL, NOTADB] = [5, 11, 13, 26];

describe('SqliteConnection', () => {
  let folder: string;
  let path: string;
  let connection: SqliteConnection;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'maps-connection-'));
    path = join(folder, 'file.sqlite');
    connection = new SqliteConnection(path);
    connection.exec('create table t (k integer primary key, v text)');
    const row = connection.prepare('insert into t values (?, ?)');
    connection.exec('begin');
    for (let k = 0; k < 100; k++) row.run([k, 'x'.repeat(PAGE)]);
    connection.exec('commit');
  });

  afterEach(() => {
    connection.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const spoil = (from: number, count: number): void => {
    const file = openSync(path, 'r+');
    writeSync(file, Buffer.alloc(count * PAGE, 0xa5), 0, count * PAGE, from * PAGE);
    closeSync(file);
  };

  /** The result code that a use fails with. */
  const codeOf = (use: () => unknown): unknown => {
    try {
      return `no failure: ${JSON.stringify(use())}`;
    } catch (error) {
      return (error as { errcode?: number }).errcode;
    }
  };

  it('tells statements that give rows from others', () => {
    const isReader = (text: string): boolean => connection.prepare(text).reader;
    expect(isReader('select k from t')).toBe(true);
    expect(isReader('delete from t where k = 1 returning k')).toBe(true);
    expect(isReader('delete from t')).toBe(false);
  });

  it('gives the first value of a pragma, and nothing where there is none', () => {
    expect(connection.pragma('page_size')).toBe(PAGE);
    expect(connection.pragma('incremental_vacuum(1)')).toBeUndefined();
  });

  it.each([
    ['all', () => connection.prepare('select * from t').all([])],
    ['iterate', () => [...connection.prepare('select * from t').iterate([])]],
  ])('names the result code of damaged pages, read by %s', (_, read) => {
    connection.pragma('shrink_memory');
    spoil(20, 60);
    expect(codeOf(read)).toBe(CORRUPT);
  });

  it('names the result code of a file that is none of SQLite', () => {
    connection.close();
    spoil(0, 3);
    const other = new SqliteConnection(path);
    expect(codeOf(() => other.prepare('select * from t').all([]))).toBe(NOTADB);
    other.close();
  });

  it.each([
    ['run', 'insert into t (v) values (?)'],
    ['all', 'insert into t (v) values (?) returning k'],
  ] as const)('names the result code of a full disk, met by %s', (use, text) => {
    connection.pragma(`max_page_count = ${String(connection.pragma('page_count'))}`);
    const insert = connection.prepare(text);
    expect(codeOf(() => insert[use](['x'.repeat(10 * PAGE)]))).toBe(FULL);
  });

  it('runs a pragma to its end where it is executed, and not where it is asked', () => {
    connection.exec('pragma auto_vacuum = INCREMENTAL; vacuum; delete from t');
    const free = (): number => Number(connection.pragma('freelist_count'));
    const before = free();
    connection.exec('pragma incremental_vacuum(20)');
    expect(before - free()).toBe(20);
  });

  it('names the result code of a file that another has locked', () => {
    const other = new SqliteConnection(path);
    connection.exec('begin exclusive');
    expect(codeOf(() => other.prepare('select k from t').all([]))).toBe(BUSY);
    connection.exec('rollback');
    other.close();
  });

  it('lets go of its file when it is closed, although a statement is left', () => {
    connection.pragma('locking_mode = EXCLUSIVE');
    connection.pragma('journal_mode = WAL');
    const left = connection.prepare('insert into t (v) values (?)');
    left.run(['x']);
    connection.close();
    expect([connection.isOpen, readdirSync(folder)]).toEqual([false, ['file.sqlite']]);
    connection.close();
    const other = new SqliteConnection(path);
    other.exec('begin exclusive; commit');
    expect(other.prepare('select count(*) as n from t').all([])).toEqual([{ n: 101 }]);
    other.close();
    expect(() => left.run(['x'])).toThrow();
  });
});
