import { describe, expect, it } from '@jest/globals';
import { RuntimeUnavailableError, WorkloadStartError } from '../runtime.errors.js';
import type { DockerEngine } from './docker-engine.js';
import { EngineStatusError } from './engine.errors.js';
import { INSTALLATION_LABEL } from './labels.js';
import { startContainer } from './start-container.js';
import { SILENT_LOG } from '../../../test/support/recorded-log.js';

const LABELS = { [INSTALLATION_LABEL]: 'ours' };
const CONTAINER = { name: 'runner-1', config: { Labels: LABELS } };

/** An engine that refuses every start; `status` is what it says of the container afterwards. */
class RefusingEngine {
  readonly calls: string[] = [];

  constructor(
    private readonly status: string,
    private readonly hasContainer = false,
    private readonly removal: () => Promise<boolean> = () => Promise.resolve(true),
  ) {}

  async create(): Promise<string> {
    if (this.hasContainer) throw new EngineStatusError(409, 'the name is taken');
    return 'id';
  }

  async start(): Promise<void> {
    throw new EngineStatusError(500, 'id already in use');
  }

  async inspect(): Promise<object> {
    return { Id: 'id', State: { Status: this.status }, Config: { Labels: LABELS } };
  }

  async remove(): Promise<boolean> {
    this.calls.push('remove');
    return this.removal();
  }

  async startContainer(): Promise<string> {
    return startContainer(this as unknown as DockerEngine, CONTAINER, undefined, SILENT_LOG);
  }
}

describe('startContainer, when the engine refuses the start', () => {
  it('removes what it has just made, and says so', async () => {
    const engine = new RefusingEngine('created');
    await expect(engine.startContainer()).rejects.toThrow(WorkloadStartError);
    expect(engine.calls).toEqual(['remove']);
  });

  it('takes a container for started that runs all the same', async () => {
    const engine = new RefusingEngine('running');
    expect(await engine.startContainer()).toBe('id');
    expect(engine.calls).toEqual([]);
  });

  it('leaves one that an earlier call made to whoever waits for it', async () => {
    const engine = new RefusingEngine('created', true);
    expect(await engine.startContainer()).toBe('id');
    expect(engine.calls).toEqual([]);
  });

  it('does not know whether it started when the engine goes away before it is removed', async () => {
    const away = (): Promise<boolean> => Promise.reject(new RuntimeUnavailableError('away'));
    await expect(new RefusingEngine('created', false, away).startContainer()).rejects.toThrow(
      RuntimeUnavailableError,
    );
  });
});
