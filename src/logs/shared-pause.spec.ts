import { describe, expect, it } from '@jest/globals';
import { sleep } from '../common/async/abort.js';
import { SharedPause } from './shared-pause.js';

const never = new AbortController().signal;

describe('SharedPause', () => {
  it('lets everybody go on together, once what they need is prepared', async () => {
    const steps: string[] = [];
    const pause = new SharedPause(async () => {
      await sleep(1);
      steps.push('prepared');
    });
    const wait = async (name: string): Promise<void> => {
      await pause.wait(20, never);
      steps.push(name);
    };
    const first = wait('first');
    await sleep(5);
    await Promise.all([first, wait('second')]);
    expect(steps).toEqual(['prepared', 'first', 'second']);
  });

  it('lets one go on alone whose signal aborts, and the others wait', async () => {
    const pause = new SharedPause(async () => undefined);
    const impatient = new AbortController();
    let isOver = false;
    const patient = pause.wait(60_000, never).then(() => (isOver = true));
    const gone = pause.wait(60_000, impatient.signal);
    impatient.abort();
    await gone;
    expect(isOver).toBe(false);
    pause.close();
    await patient;
  });

  it('prepares nothing for nobody', async () => {
    let prepared = 0;
    const pause = new SharedPause(async () => void prepared++);
    const leaving = new AbortController();
    const left = pause.wait(1, leaving.signal);
    leaving.abort();
    await left;
    await sleep(10);
    expect(prepared).toBe(0);
    await pause.wait(1, never);
    expect(prepared).toBe(1);
  });
});
