import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { sleep } from '../../../common/async/abort.js';
import { RuntimeUnavailableError } from '../../runtime.errors.js';
import { ApiConnection } from '../api/api-connection.js';
import { Cluster } from '../api/cluster.js';
import type { ObservedPod } from '../observed-pod.js';
import type { PodFollower } from './pod-watch.js';
import { PodWatch } from './pod-watch.js';
import { recordedLog } from '../../../../test/support/recorded-log.js';

const NAME = 'runner-1';
const PATIENCE_MS = 60_000;
const NEVER_MS = 1_000_000;

/** An API server that has the pods the test gives it, and streams the events the test sends. */
class ScriptedServer {
  pods: ObservedPod[] = [];
  version = '10';
  lists = 0;
  /** The versions that watches were opened from. */
  readonly watchedFrom: string[] = [];
  readonly streams: ServerResponse[] = [];
  /** What the next requests are answered with, instead of what they ask for. */
  statuses: number[] = [];
  endsStreams = false;
  private readonly server: Server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x');
    const isWatch = searchParams.has('watch');
    if (isWatch) this.watchedFrom.push(searchParams.get('resourceVersion') ?? '');
    else this.lists += 1;
    const status = this.statuses.shift();
    if (status !== undefined) return void response.writeHead(status).end('{"message":"not now"}');
    if (isWatch) return this.openStream(response);
    response.end(JSON.stringify({ metadata: { resourceVersion: this.version }, items: this.pods }));
  });

  async open(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  send(type: string, object: unknown): void {
    this.streams.at(-1)?.write(`${JSON.stringify({ type, object })}\n`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private openStream(response: ServerResponse): void {
    response.writeHead(200).flushHeaders();
    this.streams.push(response);
    if (this.endsStreams) response.end();
  }
}

const podOf = (
  version: string,
  phase: ObservedPod['status']['phase'] = 'Running',
  uid = 'u',
): ObservedPod => ({
  metadata: { name: NAME, uid, resourceVersion: version, creationTimestamp: '2030-01-01T00:00:00Z' },
  spec: {},
  status: { phase },
});

describe('PodWatch', () => {
  const never = new AbortController().signal;
  let server: ScriptedServer;
  let connection: ApiConnection;
  let watch: PodWatch;
  let warnings: string[];
  let url: string;

  beforeEach(async () => {
    server = new ScriptedServer();
    url = await server.open();
    warnings = [];
    watch = watchWith(NEVER_MS);
  });

  afterEach(async () => {
    watch.close(new Error('closed'));
    connection.close();
    await server.close();
  });

  const watchWith = (reconcileMs: number): PodWatch => {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromClusterAndUser({ name: 'c', server: url, skipTLSVerify: true }, { name: 'u' });
    connection = new ApiConnection(kubeConfig);
    return new PodWatch(
      new Cluster(connection, 'jobs', 'a=b'),
      reconcileMs,
      recordedLog((line) => void warnings.push(line)),
    );
  };

  /** Waits for a change until what is known is as asked for. */
  const sees = async (follower: PodFollower, wanted: object | undefined): Promise<void> => {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      const sight = follower.current();
      const seen = sight && { isThere: sight.isThere, version: sight.last?.metadata.resourceVersion };
      if (JSON.stringify(seen) === JSON.stringify(wanted)) return;
      await follower.changed(50, patience).catch(() => expect(seen).toEqual(wanted));
    }
  };
  const there = (version: string): object => ({ isThere: true, version });
  const gone = (version?: string): object => ({ isThere: false, ...(version ? { version } : {}) });
  const until = async (condition: () => boolean): Promise<void> => {
    const endMs = Date.now() + PATIENCE_MS;
    while (!condition() && Date.now() < endMs) await sleep(5);
    expect(condition()).toBe(true);
  };

  it('knows nothing before the first list, and what is there and what is not after it', async () => {
    const other = watch.follow('runner-2');
    expect(other.current()).toBeUndefined();
    server.pods = [podOf('5')];
    await sees(watch.follow(NAME), there('5'));
    await sees(other, gone());
  });

  it('follows what the stream tells, for all waits by one stream', async () => {
    const [one, two] = [watch.follow(NAME), watch.follow(NAME)];
    await until(() => server.streams.length === 1);
    server.send('ADDED', podOf('11'));
    await Promise.all([sees(one, there('11')), sees(two, there('11'))]);
    server.send('DELETED', podOf('12', 'Failed'));
    await Promise.all([sees(one, gone('12')), sees(two, gone('12'))]);
    expect(server.lists).toBe(1);
    expect(server.streams).toHaveLength(1);
  });

  it('keeps the time of the first deletion of a pod that is deleted again', async () => {
    const deleted = (version: string, at: string, grace: number): ObservedPod => {
      const { metadata, ...rest } = podOf(version);
      const deletion = { deletionTimestamp: at, deletionGracePeriodSeconds: grace };
      return { ...rest, metadata: { ...metadata, ...deletion } };
    };
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.send('MODIFIED', deleted('11', '2030-01-01T00:00:30Z', 30));
    server.send('MODIFIED', deleted('12', '2030-01-01T00:00:03Z', 0));
    await sees(follower, there('12'));
    const first = Date.parse('2030-01-01T00:00:00Z');
    expect(follower.current()?.last?.deletedAtMs).toBe(first);
    server.send('DELETED', deleted('13', '2030-01-01T00:00:04Z', 0));
    await sees(follower, gone('13'));
    expect(follower.current()?.last?.deletedAtMs).toBe(first);
  });

  it('takes the end of an earlier pod of the same name for nothing', async () => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.send('ADDED', podOf('11', 'Running', 'new'));
    await sees(follower, there('11'));
    server.send('DELETED', podOf('12', 'Failed', 'old'));
    server.send('MODIFIED', podOf('13', 'Running', 'new'));
    await sees(follower, there('13'));
  });

  it('goes on from the last version, a bookmark included, when the stream ends well', async () => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.send('ADDED', podOf('11'));
    server.send('BOOKMARK', { metadata: { resourceVersion: '20' } });
    await sees(follower, there('11'));
    server.streams[0]?.end();
    await until(() => server.streams.length === 2);
    expect(server.watchedFrom).toEqual(['10', '20']);
    expect(server.lists).toBe(1);
    expect(warnings).toEqual([]);
  });

  it('opens no streams in a tight loop behind a server that ends each at once', async () => {
    server.endsStreams = true;
    watch.follow(NAME);
    await until(() => server.streams.length >= 1);
    await sleep(1_500);
    // 100 ms that double: five or six in this time.
    expect(server.streams.length).toBeGreaterThan(1);
    expect(server.streams.length).toBeLessThan(10);
    expect(server.lists).toBe(1);
  });

  it.each(['by its status', 'by an event'])('lists again when it is too far behind: %s', async (how) => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.send('ADDED', podOf('11'));
    await sees(follower, there('11'));
    server.pods = [podOf('40')];
    server.version = '50';
    if (how === 'by an event') {
      server.send('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' });
    } else {
      server.statuses = [410];
      server.streams[0]?.end();
    }
    await sees(follower, there('40'));
    await until(() => server.streams.length === 2);
    expect(server.watchedFrom.at(-1)).toBe('50');
    expect(server.lists).toBe(2);
    expect(warnings).toEqual([]);
  });

  it('finds by its next list what went while the stream was broken', async () => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.send('ADDED', podOf('11'));
    await sees(follower, there('11'));
    server.streams[0]?.destroy();
    await sees(follower, gone('11'));
  });

  it('waits for a server that refuses for a while, and says so once', async () => {
    server.statuses = [503, 503, 503];
    server.pods = [podOf('5')];
    const follower = watch.follow(NAME);
    await sees(follower, there('5'));
    expect(warnings).toEqual([expect.stringContaining('503')]);
    expect(server.lists).toBe(4);
  });

  it('survives garbage in the stream', async () => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.streams[0]?.write('<html>\n');
    await until(() => server.streams.length === 2);
    server.send('ADDED', podOf('11'));
    await sees(follower, there('11'));
    expect(warnings).toHaveLength(1);
  });

  it('finds by a list that a stream has gone silent', async () => {
    watch = watchWith(100);
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    server.pods = [podOf('11')];
    server.version = '12';
    await sees(follower, there('11'));
    await until(() => server.streams.length === 2);
    expect(server.watchedFrom).toEqual(['10', '12']);
    server.pods = [];
    await sees(follower, gone('11'));
  });

  it('knows of a pod that was just made before the stream tells of it', async () => {
    const follower = watch.follow(NAME);
    watch.note(podOf('11'));
    expect(follower.current()).toMatchObject({ isThere: true });
  });

  it('rejects every wait when it is closed, also later ones, and asks nothing more', async () => {
    const follower = watch.follow(NAME);
    await until(() => server.streams.length === 1);
    const waits = [follower.changed(undefined, never), watch.follow('runner-2').changed(NEVER_MS, never)];
    const rejected = waits.map((wait) => expect(wait).rejects.toThrow(RuntimeUnavailableError));
    watch.close(new RuntimeUnavailableError('closed'));
    await Promise.all(rejected);
    await expect(watch.follow(NAME).changed(1, never)).rejects.toThrow(RuntimeUnavailableError);
    await once(server.streams[0]!, 'close');
    expect([server.lists, server.streams.length]).toEqual([1, 1]);
  });
});
