import { describe, expect, it } from '@jest/globals';
import type { ContainerState } from './container-exit.js';
import { toAbsence, toExit, toSummaryState } from './container-exit.js';

const state = (Status: string, more: Partial<ContainerState> = {}): ContainerState => ({
  Status,
  ExitCode: 0,
  OOMKilled: false,
  Error: '',
  ...more,
});

describe('toExit', () => {
  it.each(['running', 'paused', 'restarting', 'removing'])(
    'knows no end of a container that is %s',
    (status) => {
      expect(toExit(state(status))).toBeUndefined();
    },
  );

  it('takes the code of a container that exited, and leaves the judgement of 137 to others', () => {
    expect(toExit(state('exited'))).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
    const killed = toExit(state('exited', { ExitCode: 137, OOMKilled: true }));
    expect(killed).toEqual({ kind: 'exited', exitCode: 137, oomKilled: true });
  });

  it('tells a container that nobody started from one that could not start', () => {
    expect(toExit(state('created'))).toEqual({ kind: 'neverStarted' });
    expect(toExit(state('created', { ExitCode: 127, Error: 'no such file' }))).toMatchObject({
      kind: 'startFailed',
      failure: { kind: 'failed', message: expect.stringContaining('no such file') },
    });
  });

  it('never takes a container that is dead for one that ended well', () => {
    expect(toExit(state('dead'))).toMatchObject({ kind: 'lost' });
  });

  it('tells a container that vanished under the eyes of a wait from one that was not there', () => {
    expect(toAbsence(true)).toEqual({ kind: 'removed' });
    expect(toAbsence(false)).toMatchObject({ kind: 'lost' });
  });
});

describe('toSummaryState', () => {
  it.each([
    ['created', 'created'],
    ['running', 'running'],
    ['paused', 'running'],
    ['restarting', 'running'],
    ['exited', 'ended'],
    ['dead', 'ended'],
    ['removing', 'ended'],
  ])('calls %s %s', (engineState, expected) => {
    expect(toSummaryState(engineState)).toBe(expected);
  });
});
