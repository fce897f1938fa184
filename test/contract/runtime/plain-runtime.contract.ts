import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import type { RuntimeSetup } from '../../support/runtimes/runtime-setups.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { unmetNeed } from './cases/runtime-case.js';
import { CASES } from './runtime-provider.contract.js';

const CASE_TIMEOUT_MS = 180_000;

/** What scripts without a sandbox are not kept from, by the cases that show it. */
export const PLAIN_GAPS = [
  'missing-image',
  'tmp',
  'runner-unreadable',
  'kills-everything',
  'writes-outside',
  'server-files',
  'privileges',
  'no-network',
  'apart-files',
  'apart-network',
  'apart-processes',
  // Who shares a user with its runner can kill it, and read what other runners are given.
  'forged-timeout',
  'forged-cancel',
  'forged-refusals',
  'forged-replay',
  'forged-figures',
  'forged-mess',
  'key-search',
] as const;

/** Their scripts look for the log at /spool, where it is only in a sandbox. */
const MEANT_FOR_SANDBOXES = ['spool-appended', 'spool-truncated', 'spool-replaced'];

/** Holds a runtime without a sandbox to the contract, but for exactly these gaps. */
export function describePlainRuntime(
  name: string,
  setup: RuntimeSetup,
  expectedGaps: readonly string[],
): void {
  const tests = (): void => {
    describe(name, () => {
      let bench: RuntimeBench;

      beforeAll(async () => {
        bench = await RuntimeBench.open(setup);
      });
      afterEach(() => bench.tidy(), CASE_TIMEOUT_MS);
      afterAll(async () => {
        expect(await bench.close()).toEqual([]);
      }, CASE_TIMEOUT_MS);

      it('has the gaps that are known, and no more', () => {
        const abilities = { hooks: setup.hooks, runsPython: true, capabilities: bench.provider.capabilities };
        const gaps = CASES.filter((each) => unmetNeed(each.needs, abilities) !== undefined);
        expect(gaps.map((each) => each.id).sort()).toEqual([...expectedGaps].sort());
      });

      for (const each of CASES) {
        if (expectedGaps.includes(each.id) || MEANT_FOR_SANDBOXES.includes(each.id)) continue;
        it(each.title, () => each.run(bench), each.timeoutMs ?? CASE_TIMEOUT_MS);
      }
    });
  };
  describeTier(setup.requiredTier, setup.unavailable, tests, setup.used);
}
