import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createProcessRuntime } from '../../src/runtime/process/process.runtime.js';
import { RuntimeBench } from '../support/runtime-bench.js';
import { ProcessBackdoor, testPython, whyNoProcess } from '../support/runtime-process.js';
import { SECRET_VALUES } from '../support/runtime-secrets.js';
import { describeTier } from '../support/runtime-tier.js';
import { unmetNeed } from './runtime-cases/runtime-case.js';
import { CASES } from './runtime-provider.contract.js';

const CASE_TIMEOUT_MS = 90_000;

/** What scripts without a sandbox are not kept from, by the cases that show it. */
const GAPS = [
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

const isolation = 'none';
const backdoor = new ProcessBackdoor(`test-${randomUUID()}`, isolation);

describeTier('process', await whyNoProcess(isolation), () => {
  describe('the process runtime without a sandbox', () => {
    let bench: RuntimeBench;
    const setup = {
      create: (dataDir: string) => {
        backdoor.dataDir = dataDir;
        const logger = { info: () => undefined, warn: () => undefined };
        const { installationId } = backdoor;
        return createProcessRuntime({
          dataDir,
          isolation,
          installationId,
          python: testPython(isolation),
          secrets: SECRET_VALUES,
          logger,
        });
      },
      hooks: backdoor,
      image: 'none',
    };

    beforeAll(async () => {
      bench = await RuntimeBench.open(setup);
    });
    afterEach(() => bench.tidy(), CASE_TIMEOUT_MS);
    afterAll(async () => {
      expect(await bench.close()).toEqual([]);
    }, CASE_TIMEOUT_MS);

    it('has no more gaps than are known', () => {
      const abilities = { hooks: backdoor, runsPython: true, capabilities: bench.provider.capabilities };
      const gaps = CASES.filter((each) => unmetNeed(each.needs, abilities) !== undefined);
      expect(gaps.map((each) => each.id).sort()).toEqual([...GAPS].sort());
    });

    for (const each of CASES) {
      if (GAPS.includes(each.id) || MEANT_FOR_SANDBOXES.includes(each.id)) continue;
      it(each.title, () => each.run(bench), each.timeoutMs ?? CASE_TIMEOUT_MS);
    }
  });
});
