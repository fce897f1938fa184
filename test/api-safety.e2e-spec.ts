import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebSocket } from 'ws';
import { describeServiceRuntimes } from './support/service/service-runtimes.js';
import { LOGS, TestService } from './support/service/service.js';

const TOKEN = 'a-token-for-tests-0123456789';
const UNKNOWN_ID = '01890000-0000-7000-8000-000000000000';

// What is tested here does not depend on the runtime; one is enough.
await describeServiceRuntimes(
  ({ variables }) => {
    describe('the API towards callers who mean harm or err', () => {
      let open: TestService;
      let closed: TestService;

      beforeAll(async () => {
        open = await TestService.start({ ...variables, ALLOWED_ORIGINS: 'https://maps.example' });
        closed = await TestService.start({ ...variables, API_TOKEN: TOKEN, GRAPHQL_INTROSPECTION: 'false' });
      });

      afterAll(async () => {
        await Promise.all([open.stop(), closed.stop()]);
      });

      const codeOf = async (query: string, queryVariables: object = {}): Promise<unknown> => {
        const { errors } = await open.graphql(query, queryVariables);
        expect(errors?.[0]?.extensions.requestId).toMatch(/^[0-9a-f-]{36}$/);
        return errors?.[0]?.extensions.code;
      };
      const runWith = (input: object): ReturnType<TestService['graphql']> =>
        open.graphql('mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }', {
          input,
        });

      it('answers expected failures with a stable code, the field and an id, and nothing else', async () => {
        expect(await codeOf('{ job(id: "nonsense") { id } }')).toBe('NOT_FOUND');
        expect(await codeOf(`{ job(id: "${UNKNOWN_ID}") { id } }`)).toBe('NOT_FOUND');
        expect(await codeOf('{ nope }')).toBe('GRAPHQL_VALIDATION_FAILED');
        expect(await codeOf('{')).toBe('GRAPHQL_PARSE_FAILED');
        expect(await codeOf('{ jobs(first: 101) { pageInfo { endCursor } } }')).toBe('BAD_USER_INPUT');
        expect(await codeOf('{ jobs(after: "x") { pageInfo { endCursor } } }')).toBe('BAD_USER_INPUT');
        expect(
          await codeOf('query ($n: Int!) { jobs(first: $n) { pageInfo { endCursor } } }', { n: 'x' }),
        ).toBe('BAD_USER_INPUT');
      });

      it.each([
        [{ script: '' }, 'BAD_USER_INPUT', 'input.script'],
        [{ script: 'x'.repeat(900 * 1024 + 1) }, 'PAYLOAD_TOO_LARGE', 'input.script'],
        [{ script: '1', timeoutSeconds: 0 }, 'BAD_USER_INPUT', 'input.timeoutSeconds'],
        [{ script: '1', timeoutSeconds: 100_000 }, 'BAD_USER_INPUT', 'input.timeoutSeconds'],
        [{ script: '1', files: [{ path: 'a', text: '\ud800' }] }, 'BAD_USER_INPUT', 'input.files.0.text'],
        [{ script: '1', memoryMb: 1 }, 'BAD_USER_INPUT', 'input.memoryMb'],
        [{ script: '1', environment: 'other' }, 'BAD_USER_INPUT', 'input.environment'],
        [{ script: '1', env: [{ name: 'A=B', value: '' }] }, 'BAD_USER_INPUT', 'input.env.0.name'],
        [{ script: '1', env: [{ name: 'A', value: '\0' }] }, 'BAD_USER_INPUT', 'input.env.0.value'],
        [{ script: '1', files: [{ path: '../x', text: '' }] }, 'BAD_USER_INPUT', 'input.files.0.path'],
        [{ script: '1', files: [{ path: '/etc/x', text: '' }] }, 'BAD_USER_INPUT', 'input.files.0.path'],
        [{ script: '1', files: [{ path: 'a', base64: '%%%' }] }, 'BAD_USER_INPUT', 'input.files.0.base64'],
        [
          {
            script: '1',
            files: [
              { path: 'a', text: '' },
              { path: 'a/b', text: '' },
            ],
          },
          'BAD_USER_INPUT',
          'input.files',
        ],
        [
          { script: '1', files: [{ path: 'a', text: 'x'.repeat(2 * 1024 * 1024 + 1) }] },
          'PAYLOAD_TOO_LARGE',
          'input.files',
        ],
        [
          {
            script: '1',
            labels: [
              { name: 'a', value: '1' },
              { name: 'a', value: '2' },
            ],
          },
          'BAD_USER_INPUT',
          'input.labels.1',
        ],
      ])('refuses a bad request and names its field (%#)', async (input, code, field) => {
        expect((await runWith(input)).errors?.[0]?.extensions).toMatchObject({ code, field });
      });

      it('takes the largest legal request', async () => {
        const files = [{ path: 'a', base64: Buffer.alloc(2 * 1024 * 1024).toString('base64') }];
        const answer = await runWith({ script: `#${'x'.repeat(900 * 1024 - 20)}\nprint(1)`, files });
        expect(answer.errors).toBeUndefined();
      });

      it('answers a body beyond every limit instead of hanging up on its sender', async () => {
        const response = await fetch(`${open.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query: 'x'.repeat(8 * 1024 * 1024) }),
        });
        const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
        expect([response.status, errors[0]?.extensions.code]).toEqual([413, 'PAYLOAD_TOO_LARGE']);
      });

      it('refuses queries that cost too much, by page, by alias and by size', async () => {
        const greedy = '{ jobs(first: 100) { edges { node { logs { chunks { text } } } } } }';
        expect(await codeOf(greedy)).toBe('QUERY_TOO_COMPLEX');
        const aliases = Array.from(
          { length: 300 },
          (_, i) => `a${i}: jobs(first: 100) { edges { cursor } }`,
        ).join(' ');
        expect(await codeOf(`{ ${aliases} }`)).toBe('QUERY_TOO_COMPLEX');
        const endless = `{ ${'__typename '.repeat(6000)} }`;
        expect(await codeOf(endless)).toBe('GRAPHQL_PARSE_FAILED');
        const viaFragment = `{ ...F } fragment F on Query { ${aliases} }`;
        expect(await codeOf(viaFragment)).toBe('QUERY_TOO_COMPLEX');
      });

      it('takes keys that JavaScript gives a meaning as the data they are', async () => {
        const body =
          '{"query":"mutation ($i: RunScriptInput!) { runScript(input: $i) { job { request } } }","variables":{"i":{"script":"1","request":{"__proto__":{"a":1},"constructor":{"prototype":2}}}}}';
        const response = await fetch(`${open.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        expect(await response.text()).toContain(
          '"request":{"__proto__":{"a":1},"constructor":{"prototype":2}}',
        );
      });

      it('refuses a request that is nested too deeply to be stored', async () => {
        const request = '['.repeat(200_000) + ']'.repeat(200_000);
        const query = 'mutation ($i: RunScriptInput!) { runScript(input: $i) { job { id } } }';
        const body = `{"query":"${query}","variables":{"i":{"script":"1","request":${request}}}}`;
        const response = await fetch(`${open.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body,
        });
        const { errors } = (await response.json()) as { errors: { extensions: object }[] };
        expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.request' });
      });

      it('answers an address that is none in its own shape', async () => {
        const { status, body } = await rawGet(open, '/jobs/%zz/logs.txt');
        expect([status, body]).toEqual([400, expect.stringContaining('"code":"BAD_USER_INPUT"')]);
      });

      it('refuses NUL, which no database can look for', async () => {
        expect(await codeOf('{ jobs(filter: { nameContains: "\\u0000" }) { edges { cursor } } }')).toBe(
          'BAD_USER_INPUT',
        );
      });

      it('answers no query by GET, no form, no batch', async () => {
        const get = await fetch(
          `${open.url}/graphql?query=${encodeURIComponent('{ environments { name } }')}`,
        );
        expect(get.status).toBe(400);
        const form = await fetch(`${open.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
          body: 'query={environments{name}}',
        });
        expect(form.status).toBeGreaterThanOrEqual(400);
        const batch = await fetch(`${open.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify([{ query: '{ environments { name } }' }]),
        });
        expect(batch.status).toBe(400);
        expect(
          (await open.graphql<{ environments: object[] }>('{ environments { name } }')).data?.environments,
        ).toEqual([{ name: 'default' }]);
      });

      it('shows nothing to a request that asks ahead without a token', async () => {
        const ahead = await fetch(`${closed.url}/graphql`, {
          method: 'OPTIONS',
          headers: { 'content-type': 'application/json' },
          body: '{"query":"{ jobs { edges { node { id } } } }"}',
        });
        expect(ahead.status).toBe(405);
        expect(await ahead.json()).not.toHaveProperty('data');
      });

      it('asks for the token everywhere but at the probes', async () => {
        const bare = await fetch(`${closed.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"query":"{ __typename }"}',
        });
        expect([
          bare.status,
          ((await bare.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code,
        ]).toEqual([401, 'UNAUTHENTICATED']);
        expect((await fetch(`${closed.url}/jobs/${UNKNOWN_ID}/logs.txt`)).status).toBe(401);
        expect((await fetch(`${closed.url}/health`)).status).toBe(200);
        const wrong = await closed.graphql('{ __typename }', {}, { authorization: `Bearer ${TOKEN}x` });
        expect(wrong.errors?.[0]?.extensions.code).toBe('UNAUTHENTICATED');
        const right = await closed.graphql(
          '{ environments { name } }',
          {},
          { authorization: `Bearer ${TOKEN}` },
        );
        expect(right.errors).toBeUndefined();
        const introspection = await closed.graphql(
          '{ __schema { types { name } } }',
          {},
          { authorization: `Bearer ${TOKEN}` },
        );
        expect(introspection.errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
      });

      it('asks for the token on the socket, in the first message or as a header', async () => {
        const first = (client: ReturnType<TestService['socket']>) =>
          client.iterate({ query: LOGS, variables: { id: UNKNOWN_ID } }).next();
        await expect(first(closed.socket())).rejects.toMatchObject({ code: 4401 });
        await expect(first(closed.socket({ authorization: 'Bearer wrong' }))).rejects.toMatchObject({
          code: 4401,
        });
        for (const params of [{ authorization: `Bearer ${TOKEN}` }, { token: TOKEN }]) {
          const result = await first(closed.socket(params));
          expect(result.value).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
        }
      });

      it('serves only subscriptions over the socket', async () => {
        const query = 'mutation { runScript(input: { script: "1" }) { job { id } } }';
        for (const refused of [query, '{ environments { name } }']) {
          await expect(open.socket().iterate({ query: refused }).next()).rejects.toMatchObject([
            { extensions: { code: 'BAD_USER_INPUT' } },
          ]);
        }
        const before = await open.ask<{ jobs: { edges: object[] } }>('{ jobs { edges { cursor } } }');
        expect(before.jobs.edges.length).toBeLessThan(5);
      });

      it('closes a socket whose message is too large', async () => {
        const socket = new WebSocket(`${open.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
        const code = await new Promise((resolve, reject) => {
          socket.on('open', () => socket.send('x'.repeat(70 * 1024)));
          socket.on('close', resolve);
          socket.on('error', reject);
        });
        expect(code).toBe(1009);
      });

      it.each([
        [{ origin: 'https://evil.example' }, 403],
        [{ origin: 'null' }, 403],
        [{ host: 'evil.example' }, 403],
        [{ origin: 'https://maps.example' }, 101],
        [{}, 101],
      ])('lets a socket in by its Origin and Host: %j → %i', async (headers, status) => {
        expect(await upgradeStatus(open, headers)).toBe(status);
      });

      it('refuses HTTP requests of foreign pages and names too', async () => {
        expect(await httpStatus(open, { origin: 'https://evil.example' })).toBe(403);
        expect(await httpStatus(open, { host: 'rebound.example' })).toBe(403);
        expect(await httpStatus(open, { origin: 'https://maps.example' })).toBe(404);
      });

      it('never sends a stack, a path or SQL', async () => {
        const answers = await Promise.all([
          open.graphql('{ job(id: "%00") { id } }'),
          open.graphql('subscription { jobsUpdated { id } }'),
          fetch(`${open.url}/jobs/${encodeURIComponent('../../etc')}/logs.txt`).then((response) =>
            response.json(),
          ),
          fetch(`${open.url}/nowhere`).then((response) => response.json()),
        ]);
        expect(JSON.stringify(answers)).not.toMatch(/at .*\.[jt]s|\/work\/|\/home\/|select |node_modules/i);
      });
    });

    describe('downloads', () => {
      let service: TestService;
      let id: string;
      const text = '0123456789'.repeat(10);

      beforeAll(async () => {
        service = await TestService.start(variables);
        id = await service.run(
          [
            'import os',
            `open("a.txt","w").write("${text}")`,
            'open("page.html","w").write("<script>alert(1)</script>")',
            'open("empty","w").close()',
            'os.makedirs("d/e"); open("d/e/quote\\" ; x.csv","w").write("1")',
            'os.symlink("/etc", "link")',
          ].join('\n'),
        );
        await service.waitForEnd(id);
      });

      afterAll(async () => {
        await service.stop();
      });

      const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
        fetch(`${service.url}/jobs/${id}/${path}`, { headers });

      it('sends a file whole, in parts, not again when it is known, and an empty one', async () => {
        const whole = await get('outputs/a.txt');
        expect([whole.status, await whole.text(), whole.headers.get('content-length')]).toEqual([
          200,
          text,
          '100',
        ]);
        const part = await get('outputs/a.txt', { range: 'bytes=10-14' });
        expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
          206,
          '01234',
          'bytes 10-14/100',
        ]);
        const tail = await get('outputs/a.txt', { range: 'bytes=-3' });
        expect([tail.status, await tail.text()]).toEqual([206, '789']);
        const beyond = await get('outputs/a.txt', { range: 'bytes=500-' });
        expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */100']);
        const stale = await get('outputs/a.txt', { range: 'bytes=0-1', 'if-range': '"other"' });
        expect([stale.status, await stale.text()]).toEqual([200, text]);
        const known = await get('outputs/a.txt', { 'if-none-match': whole.headers.get('etag')! });
        expect(known.status).toBe(304);
        const empty = await get('outputs/empty');
        expect([empty.status, await empty.text()]).toEqual([200, '']);
      });

      it('lets no browser run or guess what a script made', async () => {
        const page = await get('outputs/page.html');
        expect(page.headers.get('content-disposition')).toMatch(/^attachment; filename="page.html"/);
        expect(page.headers.get('x-content-type-options')).toBe('nosniff');
        expect(page.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'");
        const quoted = await get(
          `outputs/${encodeURIComponent('d/e/quote" ; x.csv').replaceAll('%2F', '/')}`,
        );
        expect([quoted.status, await quoted.text()]).toEqual([200, '1']);
        expect(quoted.headers.get('content-disposition')).toBe(
          `attachment; filename="quote_ ; x.csv"; filename*=UTF-8''quote%22%20%3B%20x.csv`,
        );
      });

      it.each([
        'outputs/link/passwd',
        'outputs/link',
        'outputs/../../../../etc/passwd',
        'outputs/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
        'outputs/..%2f..%2f..%2fetc%2fpasswd',
        'outputs//etc/passwd',
        'outputs/d',
        'outputs/',
        'outputs/a.txt%00.png',
      ])('finds nothing outside the manifest: %s', async (path) => {
        expect((await rawGet(service, `/jobs/${id}/${path}`)).status).toBe(404);
      });

      it('packs all outputs as a zip', async () => {
        const response = await get('outputs.zip');
        const body = Buffer.from(await response.arrayBuffer());
        expect(response.headers.get('content-type')).toBe('application/zip');
        const names = ['a.txt', 'd/e/quote" ; x.csv', 'empty', 'page.html'];
        for (const file of names) expect(body.includes(file)).toBe(true);
        expect(body.includes('link')).toBe(false);
      });
    });
  },
  ['process'],
);
function upgradeStatus(service: TestService, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      port: service.port,
      host: '127.0.0.1',
      path: '/graphql',
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': Buffer.from('0123456789abcdef').toString('base64'),
        'sec-websocket-protocol': 'graphql-transport-ws',
        ...headers,
      },
    });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end();
  });
}

async function httpStatus(service: TestService, headers: Record<string, string>): Promise<number> {
  return (await rawGet(service, `/jobs/${UNKNOWN_ID}/logs.txt`, headers)).status;
}

/** `fetch` would tidy the path and refuse a Host header. */
function rawGet(
  service: TestService,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port: service.port, host: '127.0.0.1', path, headers }, (response) => {
      let body = '';
      response.on('data', (data: Buffer) => (body += data.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    request.on('error', reject);
    request.end();
  });
}
