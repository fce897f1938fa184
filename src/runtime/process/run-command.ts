import { execFile } from 'node:child_process';

export interface CommandResult {
  /** null when the program could not be run at all, or was killed. */
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

const PATIENCE_MS = 20_000;

/** Runs a short program to its end. Never rejects: that it fails is an answer. */
export function runCommand(
  file: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: PATIENCE_MS, signal, cwd: '/' }, (error, stdout, stderr) => {
      const code = error ? error.code : 0;
      resolve({
        exitCode: typeof code === 'number' ? code : null,
        stdout,
        // The message of an exit code would repeat the whole command line.
        stderr: stderr.trim() || (typeof code === 'number' ? '' : (error?.message ?? '')),
      });
    });
  });
}
