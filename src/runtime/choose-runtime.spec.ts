import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeRuntime } from '../../test/support/runtimes/fake/fake.runtime.js';
import { SILENT_LOG } from '../../test/support/recorded-log.js';
import type { Log } from '../common/log.js';
import { loadConfig } from '../config/load-config.js';
import type { WorkspaceMaker } from '../workspace/workspace-maker.js';
import type { RuntimeChoice } from './choose-runtime.js';
import { chooseRuntime } from './choose-runtime.js';
import type { Detection, RuntimeDefinition, RuntimeHost } from './runtime-definition.js';
import { RuntimeUnavailableError } from './runtime.errors.js';

class NoVariables {
  static readonly title = 'Nothing to set';
}

describe('the choice of a runtime', () => {
  let created: string[];
  let lines: object[];

  beforeEach(() => {
    created = [];
    lines = [];
  });

  function define(
    name: string,
    detection: Detection,
    more: Partial<RuntimeDefinition> = {},
  ): RuntimeDefinition {
    return {
      name,
      variables: NoVariables,
      awaitsEngine: false,
      detect: async () => detection,
      create: async () => {
        created.push(name);
        return new FakeRuntime();
      },
      ...more,
    };
  }

  function choose(asked: string, runtimes: readonly RuntimeDefinition[]): Promise<RuntimeChoice> {
    const log: Log = { ...SILENT_LOG, warn: (fields, message) => lines.push({ ...fields, message }) };
    const host: RuntimeHost = {
      installationId: 'here',
      storage: { dataDir: '/nowhere', workspaceDir: '/nowhere' },
      workspaces: {} as WorkspaceMaker,
      defaultImage: 'image',
      secrets: new Map(),
      isProduction: false,
      log,
    };
    return chooseRuntime(runtimes, loadConfig({ EXECUTION_RUNTIME: asked }, runtimes), host);
  }

  it('is the one that is asked for, whatever it detects', async () => {
    const runtimes = [define('first', { fits: true }), define('second', { fits: false })];
    expect(await choose('second', runtimes)).toMatchObject({ reason: 'EXECUTION_RUNTIME=second' });
    expect(created).toEqual(['second']);
  });

  it('is with auto the first that fits, and says why those before it do not', async () => {
    const { reason } = await choose('auto', [
      define('silent', { fits: false }),
      define('away', { fits: false, reason: 'It is away.' }),
      define('here', { fits: true, reason: 'This is here.' }),
      define('later', { fits: true, reason: 'So is this.' }),
    ]);
    expect([created, reason]).toEqual([['here'], 'It is away. This is here.']);
  });

  it('is refused with every reason when none fits', async () => {
    const runtimes = ['One.', 'Two.'].map((reason) => define(reason, { fits: false, reason }));
    await expect(choose('auto', runtimes)).rejects.toThrow('One. Two.');
  });

  it('waits for an engine that does not answer yet, and for nothing else', async () => {
    let tries = 0;
    const create = async (): Promise<FakeRuntime> => {
      if ((tries += 1) < 2) throw new RuntimeUnavailableError('Not yet.');
      return new FakeRuntime();
    };
    const engine = define('engine', { fits: true }, { awaitsEngine: true, create });
    await choose('engine', [engine]);
    expect([tries, lines]).toEqual([2, [expect.objectContaining({ err: 'Not yet.' })]]);
    tries = 0;
    await expect(choose('program', [{ ...engine, name: 'program', awaitsEngine: false }])).rejects.toThrow(
      'Not yet.',
    );
    expect(tries).toBe(1);
  });

  it('does not wait for an engine that refuses', async () => {
    const create = (): Promise<never> => Promise.reject(new Error('Forbidden.'));
    const engine = define('engine', { fits: true }, { awaitsEngine: true, create });
    await expect(choose('engine', [engine])).rejects.toThrow('Forbidden.');
    expect(lines).toEqual([]);
  });

  it('gives a runtime a log that says whose lines they are, fields included', async () => {
    const create: RuntimeDefinition['create'] = async (_variables, { log }) => {
      log.warn({ container: 'c' }, 'It was seen.');
      return new FakeRuntime();
    };
    await choose('engine', [define('engine', { fits: true }, { create })]);
    expect(lines).toEqual([{ runtime: 'engine', container: 'c', message: 'It was seen.' }]);
  });
});
