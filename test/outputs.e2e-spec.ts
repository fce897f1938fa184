import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeServiceRuntimes } from './support/service-runtimes.js';
import { TestService } from './support/service.js';

describeServiceRuntimes(({ name, variables }) => {
  // What is tested here does not depend on the runtime; one is enough.
  if (name !== 'process') return;

  describe('the outputs of scripts that mean harm', () => {
    let service: TestService;

    beforeAll(async () => {
      service = await TestService.start(variables);
    }, 60_000);

    afterAll(async () => {
      await service.stop();
    }, 60_000);

    /** Runs a script in `/output` to its end. */
    const run = async (...lines: string[]): Promise<string> => {
      const id = await service.run(['import os', 'os.chdir("/output")', ...lines].join('\n'));
      expect((await service.waitForEnd(id)).state).toBe('SUCCEEDED');
      return id;
    };
    const get = (id: string, path: string): Promise<Response> => fetch(`${service.url}/jobs/${id}/${path}`);

    it('are packed as a zip whatever their age', async () => {
      const id = await run(
        'for i, at in enumerate([-1e9, 0, 9e9, 1e10]): open(f"f{i}", "w").close(); os.utime(f"f{i}", (at, at))',
      );
      const zip = await get(id, 'outputs.zip');
      expect([zip.status, (await zip.arrayBuffer()).byteLength > 100]).toEqual([200, true]);
      expect((await get(id, 'outputs/f0')).status).toBe(200);
    }, 60_000);
  });
});
