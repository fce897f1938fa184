import { describe, expect, it } from '@jest/globals';
import { cgroupPlaces, cgroupSettings, parseOomKills } from './cgroup-tree.js';

const V1 = `
25 20 0:22 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
26 20 0:23 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
27 20 0:24 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
28 20 0:25 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
29 20 0:26 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
30 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
`;
const V2 = '29 20 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const limits = { memoryBytes: 1048576, cpus: 1.5, pids: 10 };

describe('cgroupPlaces', () => {
  it('finds each controller on its own hierarchy, and takes none twice', () => {
    expect(cgroupPlaces(V1, () => ['memory', 'hugetlb'])).toEqual([
      { version: 1, controllers: ['memory'], dir: '/sys/fs/cgroup/memory' },
      { version: 1, controllers: ['cpu'], dir: '/sys/fs/cgroup/cpu,cpuacct' },
      { version: 1, controllers: ['pids'], dir: '/sys/fs/cgroup/pids' },
    ]);
  });

  it('finds them all on the unified hierarchy', () => {
    expect(cgroupPlaces(V2, () => ['cpuset', 'cpu', 'io', 'memory', 'pids'])).toEqual([
      { version: 2, controllers: ['memory', 'pids', 'cpu'], dir: '/sys/fs/cgroup' },
    ]);
  });

  it('finds none where none is mounted', () => {
    expect(cgroupPlaces('', () => [])).toEqual([]);
  });
});

describe('cgroupSettings', () => {
  it('limits memory without swap, processes and CPU time on the unified hierarchy', () => {
    const place = { version: 2 as const, controllers: ['memory', 'pids', 'cpu'] as const, dir: '/c' };
    expect(cgroupSettings(place, limits)).toEqual([
      { file: 'memory.max', value: '1048576' },
      { file: 'memory.swap.max', value: '0', optional: true },
      { file: 'pids.max', value: '10' },
      { file: 'cpu.max', value: '150000 100000' },
    ]);
  });

  it('limits memory before memory and swap together, as version 1 asks', () => {
    const place = { version: 1 as const, controllers: ['memory'] as const, dir: '/c' };
    expect(cgroupSettings(place, limits).map(({ file }) => file)).toEqual([
      'memory.limit_in_bytes',
      'memory.memsw.limit_in_bytes',
      'memory.swappiness',
    ]);
  });
});

describe('parseOomKills', () => {
  it('reads the counter of either version', () => {
    expect(parseOomKills('oom_kill_disable 0\nunder_oom 0\noom_kill 2\n')).toBe(2);
    expect(parseOomKills('low 0\nhigh 0\nmax 9\noom 3\noom_kill 1\noom_group_kill 0\n')).toBe(1);
    expect(parseOomKills('')).toBe(0);
  });
});
