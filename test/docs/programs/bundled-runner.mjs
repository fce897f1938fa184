import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes the runner in this folder; returns its path. */
export function bundledRunner(folder) {
  const path = join(folder, 'job_runner.py');
  execFileSync('python3', ['runner-image/bundle.py', path]);
  return path;
}
