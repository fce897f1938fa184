import type { RuntimeCapabilities } from '../../../../src/runtime/runtime-provider.js';
import type { RuntimeBench, RuntimeHooks } from '../../../support/runtimes/runtime-bench.js';

/**
 * What a case needs of a runtime: that it runs Python at all, a capability, or a hook. A runtime without it has a gap
 * there, and its spec file pins the gaps by the cases' ids.
 */
export type Need =
  | 'python'
  | 'networkIsolation'
  | 'filesystemIsolation'
  | 'processIsolation'
  | 'memoryLimit:any'
  | 'memoryLimit:cgroup'
  | 'pidsLimit:any'
  | 'pidsLimit:cgroup'
  | 'cpuLimit'
  | 'tmpLimit'
  | 'outlivesServer'
  | 'images'
  | `hook:${Exclude<keyof RuntimeHooks, 'leftovers'>}`;

export interface RuntimeCase {
  /** Short and stable: how a gap is named. */
  id: string;
  /** A sentence in the present tense. */
  title: string;
  needs: readonly Need[];
  /** For the few that print or write a lot. */
  timeoutMs?: number;
  run(bench: RuntimeBench): Promise<void>;
}

export function runtimeCases(cases: readonly RuntimeCase[]): readonly RuntimeCase[] {
  return cases;
}

export interface Abilities {
  capabilities: RuntimeCapabilities;
  hooks: RuntimeHooks;
  runsPython: boolean;
}

/** The first need that is not met, or undefined. */
export function unmetNeed(needs: readonly Need[], abilities: Abilities): Need | undefined {
  return needs.find((need) => !isMet(need, abilities));
}

function isMet(need: Need, { capabilities, hooks, runsPython }: Abilities): boolean {
  if (need === 'python') return runsPython;
  const [name, detail] = need.split(':') as [string, string | undefined];
  if (name === 'hook') return hooks[detail as keyof RuntimeHooks] !== undefined;
  const value = capabilities[name as keyof RuntimeCapabilities];
  if (detail === undefined) return value === true;
  return detail === 'any' ? value !== 'none' : value === detail;
}
