import { describe, expect, it } from '@jest/globals';
import { Random } from '../random.mjs';
import { FAIL_POINTS, reachablePoints } from './fail-point-list.mjs';
import { makeSchedule } from './schedule.mjs';

const RUN = { kills: 200, runtime: 'docker', database: 'postgres', replicas: 2, hasDisk: true };

function schedule(change: Partial<typeof RUN> = {}, seed = 'a') {
  return makeSchedule({ ...RUN, ...change }, new Random(seed));
}

describe('the schedule of a chaos run', () => {
  it('is repeated by its seed, and another one for another seed', () => {
    expect(schedule()).toEqual(schedule());
    expect(schedule()).not.toEqual(schedule({}, 'b'));
  });

  it('kills as often as it was asked to', () => {
    const kills = schedule({ kills: 17 }).filter(({ fault }) => ['kill', 'fail-point'].includes(fault));
    expect(kills).toHaveLength(17);
  });

  it('has both releases at work over an upgrade, until each server was struck', () => {
    const steps = schedule({ kills: 9, replicas: 3, ...{ previous: '/x' } });
    const kills = steps.filter(({ fault }) => fault === 'kill');
    expect(kills.map(({ server }) => server)).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 2]);
    const early = steps.slice(0, steps.indexOf(kills[7]!));
    expect(early.filter(({ fault, server }) => fault === 'term' && server !== 0)).toEqual([]);
    expect(steps.filter(({ afterMs }) => afterMs < 6_000)).toEqual([]);
  });

  it('comes to every fail-point that the run can reach before it comes to one again', () => {
    const reachable = reachablePoints(RUN).map(({ name }) => name);
    const struck = schedule().flatMap(({ point }) => point ?? []);
    expect(new Set(struck.slice(0, reachable.length))).toEqual(new Set(reachable));
  });

  it('leaves out what the run does not have', () => {
    const steps = schedule({ runtime: 'process', database: 'sqlite', replicas: 1, hasDisk: false });
    const faults = new Set(steps.map(({ fault }) => fault));
    expect([...faults].filter((fault) => /engine|database|disk|^stop$/.test(fault))).toEqual([]);
    expect(steps.filter(({ signal }) => signal === 'SIGSTOP')).toEqual([]);
    expect(new Set(steps.map(({ server }) => server))).toEqual(new Set([0]));
    expect(steps.filter(({ point }) => point?.startsWith('DockerEngine'))).toEqual([]);
  });
});

describe('the fail-points', () => {
  it('have a name each', () => {
    expect(new Set(FAIL_POINTS.map(({ name }) => name)).size).toBe(FAIL_POINTS.length);
  });
});
