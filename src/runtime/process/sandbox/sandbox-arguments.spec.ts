import { describe, expect, it } from '@jest/globals';
import { workspacePaths } from '../../../workspace/workspace-paths.js';
import type { SandboxSetup, SandboxSpec } from './sandbox-arguments.js';
import { sandboxCommand } from './sandbox-arguments.js';

const setup: SandboxSetup = {
  bwrap: '/usr/bin/bwrap',
  setpriv: '/usr/bin/setpriv',
  executable: '/opt/python/bin/python3',
  isFiltered: true,
  etcDir: '/data/process/.etc',
  folders: {
    system: ['/usr'],
    hidden: ['/usr/local'],
    python: ['/usr/local/lib', '/opt/python'],
    internet: ['/etc/resolv.conf'],
    links: [{ path: '/lib', target: 'usr/lib' }],
  },
};
const spec: SandboxSpec = {
  name: 'runner-x',
  workspace: workspacePaths('/data/workspaces', 'w'),
  network: 'NONE',
  tmpBytes: 1000,
};
const asRoot = { ...setup, dropTo: { uid: 10001, gid: 10001 } };

describe('sandboxCommand', () => {
  it('becomes the user inside the sandbox when the server is root', () => {
    const command = sandboxCommand(asRoot, spec);
    expect(command).not.toContain('--unshare-user');
    const inside = command.slice(command.indexOf('--') + 1).join(' ');
    expect(inside).toMatch(
      /^\/usr\/bin\/setpriv --reuid 10001 --regid 10001 .*--no-new-privs .*--bounding-set -all/,
    );
    expect(inside).toMatch(/\/opt\/python\/bin\/python3 -u \/runner\/job_runner\.py$/);
  });

  it('is in a user namespace that can have no other inside when the server is not root', () => {
    const command = sandboxCommand(setup, spec);
    expect(command).toEqual(expect.arrayContaining(['--unshare-user', '--disable-userns']));
    expect(command).not.toContain('--cap-add');
    expect(command.at(command.indexOf('--') + 1)).toBe('/opt/python/bin/python3');
  });

  it('has a network and what names and certificates need only when asked for', () => {
    expect(sandboxCommand(setup, spec)).toContain('--unshare-net');
    expect(sandboxCommand(setup, spec)).not.toContain('/etc/resolv.conf');
    const online = sandboxCommand(setup, { ...spec, network: 'INTERNET' });
    expect(online).not.toContain('--unshare-net');
    expect(online).toContain('/etc/resolv.conf');
  });

  it('makes the writable folders exactly the output and the spool', () => {
    const command = sandboxCommand(setup, spec);
    const writable = command.flatMap((word, at) => (word === '--bind' ? [command[at + 2]] : []));
    expect(writable).toEqual(['/output', '/spool']);
    expect(command.slice(-20).join(' ')).toContain('--remount-ro / ');
  });

  it('covers a folder before it shows anything below it, and closes the cover after', () => {
    const text = sandboxCommand(setup, spec).join(' ');
    const steps = [
      '--ro-bind /usr /usr',
      '--tmpfs /usr/local',
      '--ro-bind /usr/local/lib',
      '--remount-ro /usr/local',
    ];
    const places = steps.map((step) => text.indexOf(step));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    expect(places).not.toContain(-1);
  });

  it('bounds shared memory by the size of the temporary folder', () => {
    expect(sandboxCommand(setup, spec).join(' ')).toContain('--size 1000 --tmpfs /dev/shm');
  });
});
