import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './maps-cli.js';
import { waitFor } from '../wait-for.js';

/** The built server as a process of its own. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly lines: Record<string, unknown>[] = [];
  stderr = '';

  constructor(variables: Record<string, string>) {
    const env = { PATH: process.env.PATH ?? '', ...variables };
    // Elsewhere than in the checkout, whose own `.env` is none of the test's business.
    this.child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
      cwd: tmpdir(),
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.child, 'close').then(([code]) => code as number | null);
    let pending = '';
    this.child.stdout?.on('data', (data: Buffer) => {
      const parts = (pending + data.toString()).split('\n');
      pending = parts.pop() ?? '';
      this.lines.push(...parts.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()));
  }

  async listening(): Promise<string> {
    const line = await waitFor(() => this.lines.find(({ msg }) => msg === 'listening'), {
      describe: () => `listening; stderr: ${this.stderr}`,
    });
    return line.url as string;
  }

  /** The data of an operation that must succeed. */
  async ask<T>(query: string, variables: object = {}): Promise<T> {
    const response = await fetch(`${await this.listening()}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data?: T; errors?: unknown };
    if (errors || !data) throw new Error(`unexpected errors: ${JSON.stringify(errors)}`);
    return data;
  }

  /** Submits a job, returns its id. */
  async run(script: string, more: object = {}): Promise<string> {
    const query = 'mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }';
    const { runScript } = await this.ask<{ runScript: { job: { id: string } } }>(query, {
      input: { script, ...more },
    });
    return runScript.job.id;
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Ends it hard, if it still runs. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}
