import { whyNoDocker } from './runtime-docker.js';
import { describeTier } from './runtime-tier.js';
import { whyNoProcess } from './runtime-process.js';

interface ServiceRuntime {
  name: 'process' | 'docker';
  variables: Record<string, string>;
  unavailable: string | undefined;
}

const RUNTIMES: ServiceRuntime[] = [
  {
    name: 'process',
    variables: { EXECUTION_RUNTIME: 'process' },
    unavailable: await whyNoProcess('bubblewrap'),
  },
  {
    name: 'docker',
    variables: { EXECUTION_RUNTIME: 'docker' },
    unavailable: await whyNoDocker('py-exec:slim'),
  },
];

/** Runs the same body on every runtime that this machine has. */
export function describeServiceRuntimes(body: (runtime: ServiceRuntime) => void): void {
  for (const runtime of RUNTIMES) describeTier(runtime.name, runtime.unavailable, () => body(runtime));
}
