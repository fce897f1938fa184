import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Block } from './blocks.js';
import { Checkout } from './checkout.js';
import { expectEffects, lookAt } from './effects.js';
import type { RunMark } from './marks.js';
import { PageService, freePort } from './page-service.js';
import { runQuery } from './query.js';
import { expectSample } from './samples.js';
import type { Running } from './shell.js';
import { Shell } from './shell.js';

/** The address that the pages speak of. The service of a run has another port, since this one may be taken. */
const DOCUMENTED_PORT = /(?<=\b(?:127\.0\.0\.1|localhost):)8000\b/g;
/** Where a reader has Docker, nothing tells the service to run jobs as processes. */
const LIKE_A_READER = 'unset EXECUTION_RUNTIME PROCESS_ISOLATION PROCESS_PYTHON\n';
const START_SECONDS = 60;
const STOP_SECONDS = 30;
/** Of this machine's own variables a reader's shell has these; the rest is nobody's default. */
const PASSED_ON = [
  'HOME',
  'TMPDIR',
  'DOCKER_HOST',
  'DOCKER_BUILDKIT',
  'KUBECONFIG',
  'NODE_EXTRA_CA_CERTS',
  'CI',
];

interface End {
  code: number;
  output: string;
}

/** One reader with one page: runs its blocks, one after the other, in a checkout of its own beside a service. */
export class PageRun {
  /** By the last block that was run. */
  private printed = '';
  private isOnDocker = false;

  private constructor(
    private readonly checkout: Checkout,
    private readonly shell: Shell,
    private readonly service: PageService,
  ) {}

  /** `variables` say where jobs run. */
  static async open(variables: Record<string, string>): Promise<PageRun> {
    const checkout = new Checkout();
    const port = await freePort();
    const shell = new Shell(checkout.stateDir, checkout.folder, {
      ...passedOn(),
      PATH: `${checkout.binDir}:${process.env.PATH}`,
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
      MAPS_SERVER: `http://127.0.0.1:${port}`,
      PORT: String(port),
      DATA_DIR: checkout.dataDir,
      WORKSPACE_DIR: join(checkout.dataDir, 'workspaces'),
      ...variables,
    });
    return new PageRun(checkout, shell, new PageService(shell, port));
  }

  /** Throws when the block does not do what its mark says. */
  async run({ text, language, mark }: Block): Promise<void> {
    if (mark.kind === 'not run') return;
    if (mark.kind === 'output') return expectSample(this.printed, text, { language, ...mark });
    this.printed = '';
    try {
      await this.runMarked(text.replace(DOCUMENTED_PORT, String(this.service.port)), language, mark);
    } catch (error) {
      (error as Error).message += `\nIt printed:\n${this.printed}`;
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      await this.service.stop({ isLast: true });
    } finally {
      this.checkout.remove();
    }
  }

  private async runMarked(text: string, language: string, mark: RunMark): Promise<void> {
    const { folder } = this.checkout;
    await this.prepareService(mark);
    if (mark.after) {
      const { code, output } = await this.finish(this.shell.start(mark.after), mark);
      this.print(output);
      if (code !== 0) throw new Error(`What comes before it ended with ${code}.`);
    }
    const before = lookAt(folder, mark);
    const { code, output } = await this.execute(text, language, mark);
    this.print(output);
    expectEffects(folder, mark, before, code, this.printed);
  }

  /** A block that needs Docker means jobs in containers, and one that is a server wants to be the only one. */
  private async prepareService(mark: RunMark): Promise<void> {
    const isByItself = mark.isServing || mark.isWithoutService || mark.stopsAt !== undefined;
    const needsDocker = mark.needs.includes('docker');
    if (isByItself) await this.service.stop();
    else if (!this.service.isRunning || (needsDocker && !this.isOnDocker))
      await this.startService('exec node dist/main.js', needsDocker);
  }

  private async startService(text: string, isOnDocker: boolean, seconds = START_SECONDS): Promise<Running> {
    this.isOnDocker = isOnDocker;
    return this.service.start(isOnDocker ? `${LIKE_A_READER}${text}` : text, seconds * 1000);
  }

  private async execute(text: string, language: string, mark: RunMark): Promise<End> {
    const file = mark.file ?? (language === 'js' ? 'block.mjs' : undefined);
    if (file !== undefined) this.write(file, text);
    if (mark.by !== undefined) return this.finish(this.shell.start(mark.by, text), mark);
    if (language === 'js') return this.finish(this.shell.start(`node ${file} ${mark.args}`), mark);
    if (file !== undefined) return { code: 0, output: '' };
    if (language === 'graphql') return this.query(text, mark);
    if (mark.isServing) return this.serve(text, mark);
    return this.finish(this.shell.start(text), mark);
  }

  private async finish(running: Running, mark: RunMark): Promise<End> {
    try {
      if (mark.stopsAt !== undefined) {
        await running.printed(mark.stopsAt, mark.deadlineSeconds);
        running.signal('SIGINT');
      }
      const code = await running.end(mark.stopsAt === undefined ? mark.deadlineSeconds : STOP_SECONDS);
      return { code, output: running.output };
    } catch (error) {
      running.signal('SIGKILL');
      await running.ended;
      this.print(running.output);
      throw error;
    }
  }

  private async serve(text: string, mark: RunMark): Promise<End> {
    const running = await this.startService(text, mark.needs.includes('docker'), mark.deadlineSeconds);
    return { code: 0, output: running.output };
  }

  private async query(text: string, mark: RunMark): Promise<End> {
    const { output } = await this.finish(
      this.shell.start(`cat <<VARIABLES\n${mark.variables}\nVARIABLES`),
      mark,
    );
    const variables = JSON.parse(output) as Record<string, unknown>;
    return { code: 0, output: await runQuery(this.service, text, variables, mark.deadlineSeconds) };
  }

  private write(file: string, text: string): void {
    const path = join(this.checkout.folder, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${text}\n`);
  }

  private print(output: string): void {
    this.printed = output.replaceAll(String(this.service.port), '8000');
  }
}

function passedOn(): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
  );
}
