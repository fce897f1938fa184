import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import type { RuntimeSetup } from '../../support/runtimes/runtime-setups.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { waitFor } from '../../support/wait-for.js';
import { FORGERY_CASES } from './cases/forgery.cases.js';
import { ISOLATION_CASES } from './cases/isolation.cases.js';
import { LIFECYCLE_CASES } from './cases/lifecycle.cases.js';
import { LIMIT_CASES } from './cases/limit.cases.js';
import { LOG_CASES } from './cases/log.cases.js';
import type { RuntimeCase } from './cases/runtime-case.js';
import { unmetNeed } from './cases/runtime-case.js';
import { SCRIPT_END_CASES } from './cases/script-end.cases.js';
import { SECRET_CASES } from './cases/secret.cases.js';
import { STOP_CASES } from './cases/stop.cases.js';

export const CASES: readonly RuntimeCase[] = [
  ...LIFECYCLE_CASES,
  ...STOP_CASES,
  ...SCRIPT_END_CASES,
  ...LIMIT_CASES,
  ...LOG_CASES,
  ...ISOLATION_CASES,
  ...FORGERY_CASES,
  ...SECRET_CASES,
];
/** What happens to a script once it runs, which may be in a worker that was started before it came. */
const WARM_CASES: readonly RuntimeCase[] = [
  ...STOP_CASES,
  ...SCRIPT_END_CASES,
  ...LIMIT_CASES,
  ...LOG_CASES,
  ...ISOLATION_CASES,
  ...FORGERY_CASES,
];
const CASE_TIMEOUT_MS = 180_000;

/**
 * Every call of `create` of one suite is for the same installation; each run of the suite uses one of its own. Everything
 * the provider keeps is below `dataDir`. It has the values of `SECRET_VALUES`, from its options or from the engine.
 */
export interface RuntimeContractSetup extends RuntimeSetup {
  /** False only for the fake, which runs nothing. */
  runsPython: boolean;
  /** Ids of the cases this runtime cannot meet, exactly. */
  expectedGaps: readonly string[];
  /** Whether scripts are given to workers that wait, instead of each starting a workload of its own. */
  isWarm?: boolean;
}

/** Holds a runtime to src/runtime/runtime-provider.ts: one body of cases for every runtime. */
export function describeRuntimeContract(name: string, setup: RuntimeContractSetup): void {
  describeTier(setup.requiredTier, setup.unavailable, () => describeAvailable(name, setup), setup.used);
}

function describeAvailable(name: string, setup: RuntimeContractSetup): void {
  describe(`the ${name} runtime`, () => {
    let bench: RuntimeBench;
    let descriptorsBefore: number;

    beforeAll(async () => {
      descriptorsBefore = openDescriptors();
      bench = await RuntimeBench.open(setup);
    }, CASE_TIMEOUT_MS);

    afterEach(() => bench.tidy(), CASE_TIMEOUT_MS);

    // As a hook and not a case, so that it also runs, and fails the suite, when only some cases are chosen.
    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
      await waitFor(() => openDescriptors() <= descriptorsBefore, {
        describe: () => `as many open descriptors as before (${descriptorsBefore}, now ${openDescriptors()})`,
      });
    }, CASE_TIMEOUT_MS);

    const unmet = (each: RuntimeCase): string | undefined =>
      unmetNeed(each.needs, { ...setup, capabilities: bench.provider.capabilities });

    for (const each of setup.isWarm ? WARM_CASES : CASES) {
      if (setup.expectedGaps.includes(each.id)) {
        it(`GAP ${each.id}: not here: ${each.title}`, () => expect(unmet(each)).toBeDefined());
      } else {
        it(
          each.title,
          async () => {
            expect({ gap: each.id, needs: unmet(each) }).toEqual({ gap: each.id, needs: undefined });
            await each.run(bench);
          },
          each.timeoutMs ?? CASE_TIMEOUT_MS,
        );
      }
    }

    it('knows every case that is pinned as a gap', () => {
      const known = new Set(CASES.map((each) => each.id));
      expect(setup.expectedGaps.filter((id) => !known.has(id))).toEqual([]);
    });
  });
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}
