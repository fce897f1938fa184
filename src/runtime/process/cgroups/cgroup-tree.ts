export type Controller = 'memory' | 'pids' | 'cpu';

/** A folder below which cgroups can be made, and the controllers that limit there. */
export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  readonly dir: string;
}

const CONTROLLERS: readonly Controller[] = ['memory', 'pids', 'cpu'];

/**
 * Finds in `/proc/self/mountinfo` where each controller is: on a hierarchy of its own (cgroup v1), else on the unified
 * one (v2) when that has it. `unifiedControllers` reads the unified hierarchy's `cgroup.controllers`.
 */
export function cgroupPlaces(
  mountInfo: string,
  unifiedControllers: (dir: string) => readonly string[],
): CgroupPlace[] {
  const places: CgroupPlace[] = [];
  const taken = new Set<Controller>();
  const add = (version: 1 | 2, dir: string, offered: readonly string[]): void => {
    const controllers = CONTROLLERS.filter((name) => offered.includes(name) && !taken.has(name));
    controllers.forEach((name) => taken.add(name));
    if (controllers.length > 0) places.push({ version, dir, controllers });
  };
  const mounts = mountInfo.split('\n').map(parseMount);
  for (const mount of mounts) if (mount?.type === 'cgroup') add(1, mount.dir, mount.options);
  for (const mount of mounts) if (mount?.type === 'cgroup2') add(2, mount.dir, unifiedControllers(mount.dir));
  return places;
}

/** `36 35 98:0 /root /mount options - type source super-options` */
function parseMount(line: string): { dir: string; type: string; options: string[] } | undefined {
  const [before, after] = line.split(' - ');
  const dir = before?.split(' ')[4];
  const [type, , options] = after?.split(' ') ?? [];
  return dir && type ? { dir, type, options: options?.split(',') ?? [] } : undefined;
}

export interface CgroupLimits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
}

export interface CgroupSetting {
  readonly file: string;
  readonly value: string;
  /** Whether the kernel may lack the file: swap accounting is a boot option. */
  readonly optional?: boolean;
}

/** What is written into a cgroup's files, in this order. */
export function cgroupSettings(place: CgroupPlace, limits: CgroupLimits): CgroupSetting[] {
  return place.controllers.flatMap((controller) =>
    place.version === 1 ? settingsV1(controller, limits) : settingsV2(controller, limits),
  );
}

/** CPU time is given out in slices of this length. */
const PERIOD_US = 100_000;

function settingsV1(controller: Controller, { memoryBytes, cpus, pids }: CgroupLimits): CgroupSetting[] {
  switch (controller) {
    case 'memory':
      return [
        { file: 'memory.limit_in_bytes', value: String(memoryBytes) },
        { file: 'memory.memsw.limit_in_bytes', value: String(memoryBytes), optional: true },
        { file: 'memory.swappiness', value: '0', optional: true },
      ];
    case 'pids':
      return [{ file: 'pids.max', value: String(pids) }];
    case 'cpu':
      return [
        { file: 'cpu.cfs_period_us', value: String(PERIOD_US) },
        { file: 'cpu.cfs_quota_us', value: String(Math.round(cpus * PERIOD_US)) },
      ];
  }
}

function settingsV2(controller: Controller, { memoryBytes, cpus, pids }: CgroupLimits): CgroupSetting[] {
  switch (controller) {
    case 'memory':
      return [
        { file: 'memory.max', value: String(memoryBytes) },
        { file: 'memory.swap.max', value: '0', optional: true },
      ];
    case 'pids':
      return [{ file: 'pids.max', value: String(pids) }];
    case 'cpu':
      return [{ file: 'cpu.max', value: `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}` }];
  }
}

/** The counter in `memory.oom_control` (v1) or `memory.events` (v2). */
export function parseOomKills(text: string): number {
  return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
}
