import { IsArray, IsInt, Matches, Max, Min } from 'class-validator';
import type { EnvironmentsConfig } from './environments-config.js';
import { Variable } from '../variable.decorator.js';

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

/** The pool of warm workers. */
export class PoolConfig {
  static readonly title = 'Warm workers';

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

  private bounds?: readonly WarmPoolBounds[];

  /** The pools, in the order of WARM_POOL. */
  get pools(): readonly WarmPoolBounds[] {
    return (this.bounds ??= toBounds(this.WARM_POOL, this.WARM_PRELOAD));
  }

  faults({ environments }: { environments: EnvironmentsConfig }): string[] {
    const { pools } = this;
    const pooled = pools.map(({ environment }) => environment);
    const preloaded = this.WARM_PRELOAD.map((entry) => entry.slice(0, entry.indexOf('=')));
    return [
      ...nameFaults('WARM_POOL', pooled, environments),
      ...nameFaults('WARM_PRELOAD', preloaded, environments),
      ...(pools.some(({ min, max }) => min > max) ? ['WARM_POOL must not have a min above its max'] : []),
    ];
  }
}

function toBounds(bounds: readonly string[], preload: readonly string[]): WarmPoolBounds[] {
  const preloads = new Map(
    preload.flatMap((entry): [string, string[]][] => {
      const [, environment, modules] = PRELOAD_ENTRY.exec(entry) ?? [];
      return environment === undefined ? [] : [[environment, modules ? modules.split('+') : []]];
    }),
  );
  return bounds.flatMap((entry) => {
    const [, environment, min, max = min] = BOUNDS_ENTRY.exec(entry) ?? [];
    if (environment === undefined) return [];
    return [{ environment, min: Number(min), max: Number(max), preload: preloads.get(environment) }];
  });
}

function nameFaults(variable: string, names: readonly string[], environments: EnvironmentsConfig): string[] {
  return [
    ...(names.some((name) => !environments.all.has(name))
      ? [`${variable} must name default or environments of RUNNER_ENVIRONMENTS`]
      : []),
    ...(new Set(names).size < names.length ? [`${variable} must name each environment once`] : []),
  ];
}
