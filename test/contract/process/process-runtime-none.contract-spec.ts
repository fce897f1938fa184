import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import { cgroupGaps, missingControllers } from '../../support/runtimes/process/runtime-cgroups.js';
import { processSetup } from '../../support/runtimes/runtime-setups.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { unmetNeed } from '../runtime/cases/runtime-case.js';
import { CASES } from '../runtime/runtime-provider.contract.js';

const CASE_TIMEOUT_MS = 180_000;

const missing = await missingControllers();
/** What scripts without a sandbox are not kept from, by the cases that show it, and what takes cgroups. */
const GAPS = [
  ...cgroupGaps(missing),
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
];

/** Their scripts look for the log at /spool, where it is only in a sandbox. */
const MEANT_FOR_SANDBOXES = ['spool-appended', 'spool-truncated', 'spool-replaced'];

const setup = await processSetup('none');

describeTier(
  setup.requiredTier,
  setup.unavailable,
  () => {
    describe('the process runtime without a sandbox', () => {
      let bench: RuntimeBench;

      beforeAll(async () => {
        bench = await RuntimeBench.open(setup);
      });
      afterEach(() => bench.tidy(), CASE_TIMEOUT_MS);
      afterAll(async () => {
        expect(await bench.close()).toEqual([]);
      }, CASE_TIMEOUT_MS);

      it('has no more gaps than are known', () => {
        const abilities = { hooks: setup.hooks, runsPython: true, capabilities: bench.provider.capabilities };
        const gaps = CASES.filter((each) => unmetNeed(each.needs, abilities) !== undefined);
        expect(gaps.map((each) => each.id).sort()).toEqual([...GAPS].sort());
      });

      for (const each of CASES) {
        if (GAPS.includes(each.id) || MEANT_FOR_SANDBOXES.includes(each.id)) continue;
        it(each.title, () => each.run(bench), each.timeoutMs ?? CASE_TIMEOUT_MS);
      }
    });
  },
  setup.used,
);
