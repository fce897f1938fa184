import { IsArray, IsInt, Matches, Max, Min } from 'class-validator';
import { Variable } from './variable.decorator.js';

const BOUNDS_ENTRY = /^([a-z0-9][a-z0-9-]{0,62})=(\d{1,4})(?:\.\.(\d{1,4}))?$/;
const MODULE = '[A-Za-z_][A-Za-z0-9_]*(?:\\.[A-Za-z_][A-Za-z0-9_]*)*';
const PRELOAD_ENTRY = new RegExp(`^([a-z0-9][a-z0-9-]{0,62})=((?:${MODULE}(?:\\+${MODULE})*)?)$`);

/** What WARM_MAX_AGE_SECONDS may be at most. */
export const LONGEST_WARM_AGE_SECONDS = 86_400;

/** How many workers of an environment wait for jobs. */
export interface WarmPoolBounds {
  readonly environment: string;
  readonly min: number;
  readonly max: number;
  /** What they import ahead; undefined: what their image names itself. */
  readonly preload: readonly string[] | undefined;
}

/** What can be set of the pool of warm workers; a part of `AppConfig`. */
export abstract class WarmPoolConfig {
  @Variable({
    type: 'map',
    defaultText: 'none',
    description:
      'Workers that wait for jobs with Python started and libraries imported, as `environment=min..max,…` (or `environment=n`): at least `min` always, up to `max` while jobs come often. Each holds the memory of its libraries.',
  })
  @IsArray()
  @Matches(BOUNDS_ENTRY, { each: true, message: 'each entry must be environment=min..max or environment=n' })
  WARM_POOL: string[] = [];

  @Variable({
    type: 'map',
    defaultText: 'what the image names in RUNNER_PRELOAD',
    description:
      'Modules that workers import ahead, as `environment=module+module,…`; nothing after `=`: none.',
  })
  @IsArray()
  @Matches(PRELOAD_ENTRY, { each: true, message: 'each entry must be environment=module+module' })
  WARM_PRELOAD: string[] = [];

  @Variable({
    type: 'integer',
    unit: 'seconds',
    defaultText: '600',
    description: 'How long a worker waits for a job before another one takes its place.',
  })
  @IsInt()
  @Min(10)
  @Max(LONGEST_WARM_AGE_SECONDS)
  WARM_MAX_AGE_SECONDS: number = 600;

  /** The pools, in the order of WARM_POOL. */
  get warmPools(): readonly WarmPoolBounds[] {
    const preloads = new Map(
      this.WARM_PRELOAD.flatMap((entry): [string, string[]][] => {
        const [, environment, modules] = PRELOAD_ENTRY.exec(entry) ?? [];
        return environment === undefined ? [] : [[environment, modules ? modules.split('+') : []]];
      }),
    );
    return this.WARM_POOL.flatMap((entry) => {
      const [, environment, min, max = min] = BOUNDS_ENTRY.exec(entry) ?? [];
      if (environment === undefined) return [];
      return [{ environment, min: Number(min), max: Number(max), preload: preloads.get(environment) }];
    });
  }

  /** Faults of the pools that no single variable shows. */
  warmPoolFaults(environments: ReadonlySet<string>): string[] {
    const pools = this.warmPools;
    const preloaded = this.WARM_PRELOAD.map((entry) => entry.slice(0, entry.indexOf('=')));
    return [
      ...nameFaults(
        'WARM_POOL',
        pools.map(({ environment }) => environment),
        environments,
      ),
      ...nameFaults('WARM_PRELOAD', preloaded, environments),
      ...(pools.some(({ min, max }) => min > max) ? ['WARM_POOL must not have a min above its max'] : []),
    ];
  }
}

function nameFaults(variable: string, names: readonly string[], environments: ReadonlySet<string>): string[] {
  return [
    ...(names.some((name) => !environments.has(name))
      ? [`${variable} must name default or environments of RUNNER_ENVIRONMENTS`]
      : []),
    ...(new Set(names).size < names.length ? [`${variable} must name each environment once`] : []),
  ];
}
