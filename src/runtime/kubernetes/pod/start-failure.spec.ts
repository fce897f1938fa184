import { describe, expect, it } from '@jest/globals';
import { ApiStatusError } from '../api/api.errors.js';
import { containerFailed, startTooLate, toCreateFailure, toHindrance } from './start-failure.js';

const IMAGE = 'registry.example/team/py-exec:1';
const LONG_IMAGE = `registry.example/${'team/'.repeat(45)}py-exec:1`;

describe('toCreateFailure', () => {
  const forbidden = (text: string): string => `pods "runner-1" is forbidden: ${text}`;
  const cases: [string, number, string, object][] = [
    [
      'a quota',
      403,
      forbidden('exceeded quota: q, requested: pods=1, used: pods=5, limited: pods=5'),
      { kind: 'unschedulable', retryable: true, hint: expect.stringContaining('ResourceQuota') },
    ],
    [
      'a quota that is not known yet',
      403,
      forbidden('status unknown for quota: q, resources: pods'),
      { kind: 'unschedulable', retryable: true },
    ],
    [
      'a new namespace',
      403,
      forbidden('error looking up service account x/default: serviceaccount "default" not found'),
      { kind: 'failed', retryable: true },
    ],
    [
      'no permission',
      403,
      'pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "x"',
      { kind: 'refused', retryable: false, hint: expect.stringContaining('rbac.yaml') },
    ],
    [
      'a LimitRange',
      403,
      forbidden('maximum memory usage per Container is 64Mi, but limit is 256Mi'),
      { kind: 'refused', retryable: false, hint: expect.stringContaining('LimitRange') },
    ],
    [
      'a quota that wants limits',
      403,
      forbidden('failed quota: q: must specify limits.cpu'),
      { kind: 'refused', retryable: false, hint: expect.stringContaining('LimitRange') },
    ],
    [
      'pod security',
      403,
      forbidden('violates PodSecurity "restricted:latest": runAsNonRoot != true'),
      { kind: 'refused', retryable: false, hint: expect.stringContaining('admission') },
    ],
    [
      'a namespace that is ending',
      403,
      forbidden('unable to create new content in namespace x because it is being terminated'),
      { kind: 'refused', retryable: false },
    ],
    [
      'a webhook',
      400,
      'admission webhook "w" denied the request: no',
      { kind: 'refused', retryable: false, hint: expect.stringContaining('admission') },
    ],
    [
      'a field',
      422,
      'Pod "runner-1" is invalid: spec: Forbidden',
      { kind: 'refused', retryable: false, hint: expect.any(String) },
    ],
    ['its size', 413, 'the request is too large', { kind: 'refused', retryable: false }],
    [
      'no namespace',
      404,
      'namespaces "x" not found',
      { kind: 'refused', retryable: false, hint: expect.stringContaining('namespace.yaml') },
    ],
  ];
  it.each(cases)('%s', (_, status, message, expected) => {
    const failure = toCreateFailure(new ApiStatusError(status, '', message), IMAGE);
    expect(failure).toMatchObject(expected);
    expect(failure?.message).toContain(message);
  });

  it.each([401, 408, 409, 429, 500, 503, 504])('says nothing about the pod: %i', (status) => {
    expect(toCreateFailure(new ApiStatusError(status, '', 'later'), IMAGE)).toBeUndefined();
  });

  it('finds the cause behind much text', () => {
    const message = forbidden(`${'x'.repeat(500)} exceeded quota: q`);
    expect(toCreateFailure(new ApiStatusError(403, 'Forbidden', message), IMAGE)).toMatchObject({
      kind: 'unschedulable',
      retryable: true,
    });
  });
});

describe('toHindrance', () => {
  const pulled = (text: string, image = IMAGE): string =>
    `rpc error: code = Unknown desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${text}`;
  const cases: [string, string, boolean][] = [
    ['ErrImagePull', pulled(`${IMAGE}: not found`), false],
    ['ErrImagePull', pulled(`${LONG_IMAGE}: not found`, LONG_IMAGE), false],
    ['ErrImagePull', 'manifest for x:1 not found: manifest unknown: manifest unknown', false],
    [
      'ErrImagePull',
      pulled('pull access denied, repository does not exist or may require authorization'),
      false,
    ],
    ['ErrImagePull', pulled('unexpected status code [manifests 1]: 401 Unauthorized'), false],
    ['ErrImagePull', pulled('unexpected status code [manifests 1]: 503 Service Unavailable'), true],
    ['ErrImagePull', pulled('unexpected status code [manifests 1]: 429 Too Many Requests'), true],
    [
      'ErrImagePull',
      pulled('failed to do request: dial tcp 10.0.0.1:443: connect: connection refused'),
      true,
    ],
    ['ErrImagePull', pulled('failed to do request: dial tcp: lookup registry.example: no such host'), true],
    ['ImagePullBackOff', `Back-off pulling image "${IMAGE}"`, true],
    ['ImagePullBackOff', `Back-off pulling image "x": ErrImagePull: ${pulled('x: not found')}`, false],
    ['RegistryUnavailable', 'registry is unavailable', true],
    ['ImageInspectError', 'failed to inspect image', true],
    ['InvalidImageName', 'Failed to apply default image tag: invalid reference format', false],
    ['ErrImageNeverPull', 'Container image "x" is not present with pull policy of Never', false],
    ['SignatureValidationFailed', 'no signature', false],
  ];
  it.each(cases)('%s: %s', (reason, message, retryable) => {
    const hindrance = toHindrance({ reason, message }, IMAGE)!;
    expect(hindrance.failure).toEqual({
      kind: 'imageUnavailable',
      message: expect.stringContaining(`${IMAGE} (${reason})`),
      hint: expect.stringContaining(IMAGE),
      retryable,
    });
    expect(hindrance.patienceMs).toBe(retryable ? 30_000 : 0);
  });

  it.each([
    ['CreateContainerConfigError', 'secret "maps-api-keys" not found', 'refused', false],
    ['CreateContainerConfigError', "couldn't find key API_KEY in Secret x/maps-api-keys", 'refused', false],
    [
      'CreateContainerConfigError',
      'failed to sync secret cache: timed out waiting for the condition',
      'failed',
      true,
    ],
    ['CreateContainerError', 'context deadline exceeded', 'failed', true],
    ['RunContainerError', 'exec: "python3": executable file not found in $PATH', 'refused', false],
    ['PostStartHookError', '', 'failed', true],
  ])('%s: %s', (reason, message, kind, retryable) => {
    const hindrance = toHindrance({ reason, message }, IMAGE)!;
    expect(hindrance.failure).toMatchObject({ kind, retryable });
    expect(hindrance.failure.message).toContain(message || reason);
    expect(hindrance.patienceMs).toBeGreaterThan(0);
  });

  it.each([undefined, 'ContainerCreating', 'PodInitializing', 'SomethingNew'])(
    'is no hindrance: %s',
    (reason) => {
      expect(toHindrance(reason ? { reason } : {}, IMAGE)).toBeUndefined();
    },
  );
});

describe('containerFailed', () => {
  it.each([
    ['exec: "x": stat x: no such file or directory: unknown', false],
    ['exec /x: exec format error', false],
    ['exec: "/x": permission denied: unknown', false],
    ['chdir to cwd ("/etc/passwd") set in config.json failed: not a directory', false],
    ['mkdir /sys/fs/cgroup/memory/x: no space left on device', true],
    ['mkdir /sys/fs/cgroup/memory/kubepods: no such file or directory', true],
    ['failed to create containerd task: context deadline exceeded', true],
  ])('%s', (message, retryable) => {
    expect(containerFailed('StartError', message)).toMatchObject({
      kind: retryable ? 'failed' : 'refused',
      message: expect.stringContaining(message),
      retryable,
    });
  });

  it('finds the cause behind much text', () => {
    const message = `${'x'.repeat(500)}: exec: "python3": executable file not found in $PATH`;
    expect(containerFailed('StartError', message)).toMatchObject({ kind: 'refused', retryable: false });
  });
});

describe('the messages', () => {
  it('name the last that the cluster said of a start that takes too long', () => {
    expect(startTooLate(60, 'MountVolume.SetUp failed')).toMatchObject({
      message: 'The pod did not start within 60 s: MountVolume.SetUp failed.',
      retryable: true,
    });
    expect(startTooLate(60, undefined).message).toBe('The pod did not start within 60 s.');
  });
});
