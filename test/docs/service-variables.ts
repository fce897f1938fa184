import { probeProcess } from '../../src/runtime/process/sandbox/probe.js';
import { testPython } from '../support/runtimes/process/runtime-process.js';

/** Where the jobs of the pages run: as processes, which every machine can, in a sandbox where one can be made. */
export async function processVariables(): Promise<Record<string, string>> {
  const isolations = ['bubblewrap', 'none'] as const;
  let reason = '';
  for (const isolation of isolations) {
    const python = testPython(isolation);
    const probe = await probeProcess({ python, isolation });
    if (probe.fits)
      return { EXECUTION_RUNTIME: 'process', PROCESS_ISOLATION: isolation, PROCESS_PYTHON: python };
    reason = probe.reason;
  }
  throw new Error(`Scripts cannot run here: ${reason}`);
}
