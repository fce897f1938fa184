import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RUNTIMES } from '../src/runtime/runtimes.js';
import { subprocessSetup, subprocessVariables } from './support/runtimes/subprocess/subprocess-setup.js';
import { SUBPROCESS } from './support/runtimes/subprocess/subprocess.definition.js';
import { describeTier } from './support/runtimes/runtime-tier.js';
import { TestService } from './support/service/service.js';

/** What a new runtime needs outside its folder. */
const WITH_SUBPROCESS = [...RUNTIMES, SUBPROCESS];

interface ServiceView {
  service: {
    isolation: string;
    runtime: {
      name: string;
      reason: string;
      healthy: boolean;
      capabilities: { filesystemIsolation: boolean };
    };
  };
}

const { requiredTier, unavailable, used } = await subprocessSetup();
const tests = (): void => {
  describe('a service whose list of runtimes has one more', () => {
    let service: TestService;

    beforeAll(async () => {
      service = await TestService.start(subprocessVariables(), undefined, WITH_SUBPROCESS);
    });

    afterAll(() => service.stop());

    it('chooses it by its name, and says what it lacks', async () => {
      const query = '{ service { isolation runtime { name reason healthy capabilities } } }';
      expect((await service.ask<ServiceView>(query)).service).toMatchObject({
        isolation: 'none',
        runtime: {
          name: 'subprocess',
          reason: 'EXECUTION_RUNTIME=subprocess',
          healthy: true,
          capabilities: { filesystemIsolation: false, outlivesServer: false },
        },
      });
    });

    it('runs jobs on it, with their log, outputs and end', async () => {
      const script = `
import os
print("on it")
open(os.environ["OUTPUT_DIR"] + "/made.txt", "w").write("made")
raise SystemExit(3)
`;
      const id = await service.run(script);
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'FAILED', exitCode: 3, attempt: 1 });
      expect(await service.logText(id)).toBe('on it\n');
      expect((await service.job(id)).outputs).toMatchObject([{ path: 'made.txt', size: 4 }]);
    });

    it('cancels jobs on it', async () => {
      const id = await service.run('import time\nprint("ready", flush=True)\ntime.sleep(600)');
      await service.waitForState(id, /RUNNING/);
      await service.cancel(id);
      expect(await service.waitForEnd(id)).toMatchObject({ state: 'CANCELLED' });
    });

    it('names it among the choices where another is asked for', async () => {
      const started = TestService.start({ EXECUTION_RUNTIME: 'podman' }, '/nowhere', WITH_SUBPROCESS);
      await expect(started).rejects.toThrow(
        /must be one of .*: auto, kubernetes, docker, process, subprocess$/m,
      );
    });
  });
};
describeTier(requiredTier, unavailable, tests, used);
