import { describe, expect, it } from '@jest/globals';
import { KeyedSingleFlight, SingleFlight } from './single-flight.js';

interface Run {
  resolve: (result: string) => void;
  reject: (error: Error) => void;
}

/** Work that ends when the test says so. */
class Work {
  readonly begun: Run[] = [];

  readonly begin = (): Promise<string> =>
    new Promise((resolve, reject) => this.begun.push({ resolve, reject }));
}

describe('SingleFlight', () => {
  it('shares what runs with all who come meanwhile, and begins anew afterwards', async () => {
    const work = new Work();
    const flight = new SingleFlight(work.begin);
    const [one, two] = [flight.run(), flight.run()];
    expect([work.begun.length, flight.current]).toEqual([1, one]);
    work.begun[0]!.resolve('first');
    expect(await Promise.all([one, two])).toEqual(['first', 'first']);
    const three = flight.run();
    work.begun[1]!.resolve('second');
    expect(await three).toBe('second');
  });

  it('is over before those who share it go on', async () => {
    const work = new Work();
    const flight = new SingleFlight(work.begin);
    const seen = flight.run().then(() => flight.current);
    work.begun[0]!.resolve('done');
    expect(await seen).toBeUndefined();
  });

  it('tells a fault to all who share it, but not to the next', async () => {
    const work = new Work();
    const flight = new SingleFlight(work.begin);
    const shared = Promise.allSettled([flight.run(), flight.run()]);
    const fault = new Error('away');
    work.begun[0]!.reject(fault);
    expect(await shared).toEqual([
      { status: 'rejected', reason: fault },
      { status: 'rejected', reason: fault },
    ]);
    expect(flight.current).toBeUndefined();
    const next = flight.run();
    work.begun[1]!.resolve('back');
    expect(await next).toBe('back');
  });
});

describe('KeyedSingleFlight', () => {
  it('shares what runs for one key, and keeps keys apart', async () => {
    const [a, b] = [new Work(), new Work()];
    const flights = new KeyedSingleFlight<string>();
    const [one, two, other] = [
      flights.run('a', a.begin),
      flights.run('a', a.begin),
      flights.run('b', b.begin),
    ];
    expect([a.begun.length, b.begun.length, flights.current]).toEqual([1, 1, [one, other]]);
    b.begun[0]!.resolve('b');
    expect(await other).toBe('b');
    expect(flights.current).toEqual([one]);
    a.begun[0]!.resolve('a');
    expect(await Promise.all([one, two])).toEqual(['a', 'a']);
  });

  it('begins anew for a key whose work has ended, also by a fault', async () => {
    const work = new Work();
    const flights = new KeyedSingleFlight<string>();
    const failed = expect(flights.run('a', work.begin)).rejects.toThrow('away');
    work.begun[0]!.reject(new Error('away'));
    await failed;
    expect(flights.current).toEqual([]);
    const next = flights.run('a', work.begin);
    work.begun[1]!.resolve('back');
    expect(await next).toBe('back');
  });
});
