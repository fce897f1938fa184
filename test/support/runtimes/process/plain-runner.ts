import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { RUNNER_VARIABLES } from '../../../../src/runner/variables.js';

interface Folders {
  job: string;
  input: string;
  output: string;
  spool: string;
}

interface PlainRun {
  /** How it ended, what it printed and what it complained of. */
  ended: Promise<{ code: number; printed: string; complaint: string }>;
  signal(name: string): Promise<void>;
  remove(): Promise<void>;
}

/** Starts a runner as a plain process, where `npm run check-image` starts a container. */
export class PlainRunner {
  readonly user = { uid: process.getuid!(), gid: process.getgid!() };

  constructor(private readonly path: string) {}

  async start(order: {
    folders: Folders;
    variables: Record<string, string>;
    input?: string;
  }): Promise<PlainRun> {
    const { job, input, output, spool } = order.folders;
    const child = spawn('python3', ['-u', this.path], {
      env: {
        PATH: process.env.PATH,
        HOME: '/tmp',
        [RUNNER_VARIABLES.jobDir]: job,
        [RUNNER_VARIABLES.inputDir]: input,
        [RUNNER_VARIABLES.outputDir]: output,
        [RUNNER_VARIABLES.spoolDir]: spool,
        ...order.variables,
      },
    });
    const [printed, complaint] = [child.stdout, child.stderr].map((stream) => {
      const texts: string[] = [];
      stream.setEncoding('utf8').on('data', (text: string) => texts.push(text));
      return texts;
    }) as [string[], string[]];
    child.stdin.on('error', () => undefined).end(order.input);
    const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
    return {
      ended: closed.then(([code]) => ({
        code: code ?? -1,
        printed: printed.join(''),
        complaint: complaint.join(''),
      })),
      async signal(name) {
        child.kill(`SIG${name}` as NodeJS.Signals);
      },
      async remove() {
        child.kill('SIGKILL');
        await closed;
      },
    };
  }
}
