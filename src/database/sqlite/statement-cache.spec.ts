import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SqliteConnection } from './sqlite-connection.js';
import { StatementCache } from './statement-cache.js';

describe('StatementCache', () => {
  let connection: SqliteConnection;
  let cache: StatementCache;

  beforeEach(() => {
    connection = new SqliteConnection(':memory:');
    cache = new StatementCache(connection);
    cache.prepare('create table t (a)').run([]);
    cache.prepare('insert into t values (1), (2)').run([]);
  });

  afterEach(() => cache.close());

  it('prepares a statement once, and runs it with other values each time', () => {
    const text = 'select a from t where a = ?';
    expect(cache.prepare(text)).toBe(cache.prepare(text));
    expect([1, 2, 3].map((a) => cache.prepare(text).all([a]))).toEqual([[{ a: 1 }], [{ a: 2 }], []]);
  });

  it('gives what the tables are now, whatever has changed them', () => {
    const text = 'select * from t where a = ?';
    expect(cache.prepare(text).all([1])).toEqual([{ a: 1 }]);
    cache.prepare('alter table t add column b default 5').run([]);
    expect(cache.prepare(text).all([1])).toEqual([{ a: 1, b: 5 }]);
  });

  it('goes on after a statement that failed', () => {
    cache.prepare('create unique index i on t (a)').run([]);
    const insert = 'insert into t values (?)';
    expect(() => cache.prepare(insert).run([1])).toThrow('UNIQUE');
    expect(cache.prepare(insert).run([3]).changes).toBe(1);
  });

  it('forgets the statements that were not used for longest', () => {
    const text = (n: number): string => `select ${n} as n from t`;
    const [first, second] = [cache.prepare(text(0)), cache.prepare(text(1))];
    for (let n = 2; n < 99; n++) cache.prepare(text(n));
    expect(cache.prepare(text(0))).toBe(first);
    cache.prepare(text(99));
    cache.prepare(text(100));
    expect(cache.prepare(text(0))).toBe(first);
    expect(cache.prepare(text(1))).not.toBe(second);
  });
});
