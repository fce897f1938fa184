import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../../../common/async/abort.js';
import { messageOf } from '../../../common/app-error.js';
import { errnoOf } from '../../../common/app-error.js';
import type { CgroupLimits, CgroupPlace, Controller } from './cgroup-tree.js';
import { cgroupPlaces, cgroupSettings, parseOomKills } from './cgroup-tree.js';
import { runCommand } from '../run-command.js';

/** Above all cgroups of this program, at the top of each hierarchy: a service manager stops what is below its own. */
const FAMILY = 'maps-python';
/** Begins the names of cgroups that only try whether cgroups can be made. */
export const PROBE_PREFIX = 'probe-';
const PROBE_LIMITS: CgroupLimits = { memoryBytes: 64 * 1024 * 1024, cpus: 1, pids: 16 };

/**
 * The workloads' own control groups, `maps-python/<installation>/<name>` in each hierarchy. Cgroup files are memory,
 * so they are read and written synchronously.
 */
export class Cgroups {
  private constructor(
    private readonly places: readonly CgroupPlace[],
    private readonly installationId: string,
  ) {}

  /** Keeps the hierarchies in which a cgroup can really be made, limited and joined. */
  static async probe(installationId: string, signal?: AbortSignal): Promise<Cgroups> {
    const usable: CgroupPlace[] = [];
    for (const place of findPlaces()) {
      if (await isUsable(place, installationId, signal)) usable.push(place);
    }
    return new Cgroups(usable, installationId);
  }

  has(controller: Controller): boolean {
    return this.places.some((place) => place.controllers.includes(controller));
  }

  /** Makes the workload's cgroups and returns their folders; one that is there gets the limits again. */
  create(name: string, limits: CgroupLimits): string[] {
    return this.places.map((place) => makeCgroupAgain(place, this.installationId, name, limits));
  }

  members(name: string): number[] {
    return [...new Set(this.places.flatMap((place) => membersOf(this.folder(place, name))))];
  }

  /** Forbids new processes, so that killing those that are there comes to an end. */
  forbidForks(name: string): void {
    const place = this.placeOf('pids');
    if (place) tryWrite(join(this.folder(place, name), 'pids.max'), '0');
  }

  /** How many processes of the workload the kernel has killed for want of memory. */
  oomKills(name: string): number {
    const counter = this.oomCounter(name);
    return counter ? parseOomKills(tryRead(counter.source) ?? '') : 0;
  }

  /** The file of that counter, and where a program looks for it whose cgroup is the root of its namespace. */
  oomCounter(name: string): { source: string; target: string } | undefined {
    const place = this.placeOf('memory');
    if (!place) return undefined;
    const folder = this.folder(place, name);
    return place.version === 1
      ? { source: join(folder, 'memory.oom_control'), target: '/sys/fs/cgroup/memory/memory.oom_control' }
      : { source: join(folder, 'memory.events'), target: '/sys/fs/cgroup/memory.events' };
  }

  /** Removes the workload's cgroups. The kernel may still be busy with their last process for a moment. */
  async remove(name: string): Promise<void> {
    for (const place of this.places) {
      const folder = this.folder(place, name);
      for (let tries = 0; !removeFolder(folder) && tries < 100; tries++) await sleep(10);
    }
  }

  names(): string[] {
    return [...new Set(this.places.flatMap((place) => foldersIn(this.folder(place, ''))))];
  }

  /** Removes the folder above the workloads' cgroups when none is left. */
  close(): void {
    for (const place of this.places) {
      removeFolder(this.folder(place, ''));
      removeFolder(join(place.dir, FAMILY));
    }
  }

  private placeOf(controller: Controller): CgroupPlace | undefined {
    return this.places.find((place) => place.controllers.includes(controller));
  }

  private folder(place: CgroupPlace, name: string): string {
    return join(place.dir, FAMILY, this.installationId, name);
  }
}

function findPlaces(): CgroupPlace[] {
  const controllers = (dir: string): string[] =>
    (tryRead(join(dir, 'cgroup.controllers')) ?? '').trim().split(' ');
  return cgroupPlaces(tryRead('/proc/self/mountinfo') ?? '', controllers);
}

/** Tries it with a process that joins: whether that is allowed depends on more than file modes. */
async function isUsable(
  place: CgroupPlace,
  installationId: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const name = PROBE_PREFIX + randomUUID();
  try {
    const folder = makeCgroupAgain(place, installationId, name, PROBE_LIMITS);
    const joined = await runCommand('/bin/sh', ['-c', `echo $$ > '${folder}/cgroup.procs'`], signal);
    return joined.exitCode === 0;
  } catch {
    return false;
  } finally {
    removeFolder(join(place.dir, FAMILY, installationId, name));
  }
}

/** Tries again when another server, which is closing, has just removed the empty folders above. */
function makeCgroupAgain(...args: Parameters<typeof makeCgroup>): string {
  for (let tries = 0; ; tries++) {
    try {
      return makeCgroup(...args);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' || tries === 3) throw error;
    }
  }
}

function makeCgroup(place: CgroupPlace, installationId: string, name: string, limits: CgroupLimits): string {
  let folder = place.dir;
  for (const part of [FAMILY, installationId, name]) {
    if (place.version === 2) delegate(folder, place.controllers);
    folder = join(folder, part);
    makeFolder(folder);
  }
  for (const { file, value, optional } of cgroupSettings(place, limits)) {
    try {
      writeFileSync(join(folder, file), value, { flag: 'r+' });
    } catch (error) {
      if (!optional)
        throw new Error(`cannot set ${file} of ${folder}: ${messageOf(error)}`, { cause: error });
    }
  }
  return folder;
}

/** Lets the children of a v2 cgroup have the controllers. */
function delegate(folder: string, controllers: readonly Controller[]): void {
  const file = join(folder, 'cgroup.subtree_control');
  const present = (tryRead(file) ?? '').trim().split(' ');
  const missing = controllers.filter((name) => !present.includes(name));
  if (missing.length > 0) writeFileSync(file, missing.map((name) => `+${name}`).join(' '), { flag: 'r+' });
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** False when it is still in use; true when it is gone, or not ours to remove. */
function removeFolder(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'EBUSY';
  }
}

function membersOf(folder: string): number[] {
  return (tryRead(join(folder, 'cgroup.procs')) ?? '').split('\n').map(Number).filter(Boolean);
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function tryRead(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function tryWrite(path: string, value: string): void {
  try {
    writeFileSync(path, value, { flag: 'r+' });
  } catch {
    // The cgroup is gone.
  }
}
