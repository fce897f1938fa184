import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkImage } from '../../../scripts/check-image/check-image.mjs';
import { CHECKS, CONTAINER_CHECKS } from '../../../scripts/check-image/checks/all.mjs';
import { RUNNER_CONTRACT as contract } from '../../support/runtimes/runner-contract.js';

/** Who the fake's processes run as. */
const USER = { uid: process.getuid!(), gid: process.getgid!() };
const FAKE_DOCKER = resolve('test/support/runtimes/docker/fake-docker.mjs');

/** Enough to see that orders, input, signals and files reach a container. */
const TRIED = CHECKS.filter(({ title }) =>
  /^(the order is read|a secret comes by standard input|SIGTERM|the stop file|a worker says)/.test(title),
);

/** The `docker` command is a program that runs plain processes, so whatever a container alone has must be missed. */
describe('an image is checked', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maps-check-image-'));
  const docker = join(folder, 'docker');
  const state = join(folder, 'state');

  beforeAll(() => {
    const runner = join(folder, 'job_runner.py');
    execFileSync('python3', ['runner-image/bundle.py', runner]);
    mkdirSync(state);
    writeFileSync(docker, `#!/bin/sh\nexec ${process.execPath} ${FAKE_DOCKER} ${runner} ${state} "$@"\n`);
    chmodSync(docker, 0o755);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function printed(image: string): Promise<[isFit: boolean, lines: string[]]> {
    const lines: string[] = [];
    const print = (line: string): void => void lines.push(line);
    return [
      await checkImage({
        image,
        contract,
        user: USER,
        checks: [...TRIED, ...CONTAINER_CHECKS],
        docker,
        print,
      }),
      lines,
    ];
  }

  it('point by point, with what mends one that does not hold', async () => {
    const [isFit, lines] = await printed('there');
    expect(isFit).toBe(false);
    expect(TRIED).toHaveLength(5);
    const missed = CONTAINER_CHECKS.flatMap(({ title, mend }) => [
      expect.stringMatching(new RegExp(`^ {2}not ok  ${title}: .`)),
      `          ${mend}`,
    ]);
    expect(lines).toEqual([
      ...TRIED.map(({ title }) => `  ok      ${title}`),
      ...missed,
      `\n${TRIED.length} passed, ${CONTAINER_CHECKS.length} failed`,
    ]);
  });

  it('in containers that are shut as the server shuts them, and are removed', () => {
    const calls = readFileSync(join(state, 'calls'), 'utf8').split('\n');
    const created = calls.filter((call) => call.startsWith('create '));
    const removed = calls.filter((call) => call.startsWith('rm --force '));
    expect(removed).toHaveLength(created.length);
    for (const call of created) {
      expect(call).toContain(` --user ${USER.uid}:${USER.gid} --network none --ipc private --read-only `);
      expect(call).toMatch(/source=\S+\/job,target=\/job,readonly .*source=\S+\/output,target=\/output /);
    }
  });

  it('only when it is there', async () => {
    const [isFit, lines] = await printed('absent');
    expect(isFit).toBe(false);
    expect(lines[0]).toBe('The image absent cannot be looked at: No such image: absent');
  });
});
