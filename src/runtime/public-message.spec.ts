import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { publicMessage, publicText } from './public-message.js';

describe('what a job’s owner is told of an engine’s words', () => {
  it.each([
    // As Docker Engine 20.10 says them.
    [
      'invalid mount config for type "bind": bind source path does not exist: /srv/maps/logs/1',
      'invalid mount config for type "bind": bind source path does not exist: …',
    ],
    [
      'OCI runtime create failed: exec: "/no/such": stat /no/such: no such file or directory: unknown',
      'OCI runtime create failed: exec: "…": stat …: no such file or directory: unknown',
    ],
    // Node 24, of a folder that is gone.
    [
      "ENOENT: no such file or directory, access '/srv/my maps/ws/inputs/1/job'",
      "ENOENT: no such file or directory, access '…'",
    ],
    // bubblewrap 0.8.
    [
      "bwrap: Can't find source path /srv/my maps/ws/inputs/1/job: No such file or directory",
      "bwrap: Can't find source path …: No such file or directory",
    ],
    // containerd 1.7 and a kubelet 1.30.
    [
      'failed to mount "/var/lib/kubelet/pods/1/volumes": chdir to cwd ("/srv") set in config.json failed',
      'failed to mount "…": chdir to cwd ("…") set in config.json failed',
    ],
    ['path=/srv/a,/srv/b; (/srv/c). It ends with /srv/d.', 'path=…,…; (…). It ends with ….'],
  ])('has no path of a machine: %s', (said, expected) => {
    expect(publicText(said, [])).toBe(expected);
  });

  it.each([
    [
      'Get "https://registry.example/v2/": dial tcp 10.0.0.1:443: connect: connection refused',
      'Get "…": dial tcp …: connect: connection refused',
    ],
    ['lookup on 10.96.0.10:53, 10.0.0.0/8 and 192.168.1.1.', 'lookup on …, … and ….'],
    ['dial tcp [2001:db8::1]:443 or fe80::1%eth0 or ::1: no route', 'dial tcp … or … or …: no route'],
    ['Cannot connect to unix:///var/run/docker.sock', 'Cannot connect to …'],
  ])('has no address: %s', (said, expected) => {
    expect(publicText(said, [])).toBe(expected);
  });

  it.each([
    ['Preempted by pod x on node node-1.', ['node-1'], 'Preempted by pod x on node ….'],
    [
      'Node-1.example.org and node-1 but not node-10, a-node-1',
      ['node-1.example.org'],
      '… and … but not node-10, a-node-1',
    ],
    [
      'localhost and the empty name say nothing',
      ['localhost', ''],
      'localhost and the empty name say nothing',
    ],
    ['a.b+c is no pattern', ['a+'], 'a.b+c is no pattern'],
  ])('has no name of a machine: %s', (said, machines, expected) => {
    expect(publicText(said, machines)).toBe(expected);
  });

  it('leaves the rest as it is: images, fractions, times, versions, the folders of the script', () => {
    const said =
      '1/2 and a/b of registry.example/team/py-exec:1.2.3 at 12:34:56, std::x, /output/a.txt, "/input/b c" and /spool';
    expect(publicText(said, [])).toBe(said);
  });

  it('is one line, and bounded, whatever the engine passes on', () => {
    expect(publicText(' several\n\tlines\0 \u001b[1m ', [])).toBe('several lines [1m');
    expect(publicText('x'.repeat(10_000), [])).toHaveLength(500);
    const before = process.cpuUsage();
    for (const part of ['/', ' /a', ':', '1.', 'a:/', '"/', '::1 ']) publicText(part.repeat(1e6), ['a']);
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(5);
  });

  it('names neither the machine of the service nor that of the workload', () => {
    const message = `${hostname()} cannot reach node-7`;
    expect(publicMessage({ message, machine: 'node-7' })).toBe('… cannot reach …');
  });
});
