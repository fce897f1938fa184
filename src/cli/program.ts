import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { JobState } from '../client/schema-types.js';
import { JOB_STATES } from '../client/schema-types.js';
import type { BackupOptions } from './commands/backup.js';
import { backup } from './commands/backup.js';
import { cancel, download, remove } from './commands/change.js';
import { get } from './commands/get.js';
import type { ListOptions } from './commands/list.js';
import { list } from './commands/list.js';
import type { LogsOptions } from './commands/logs.js';
import { logs } from './commands/logs.js';
import type { RunCommandOptions } from './commands/run.js';
import { run } from './commands/run.js';
import type { Context } from './context.js';
import { ENVIRONMENT, EXAMPLES, RUN_EXAMPLES } from './help.js';
import {
  collect,
  collectPair,
  toInteger,
  toMebibytes,
  toNumber,
  toPositiveInteger,
  toSeconds,
} from './values.js';

/** Makes the context when a command runs, with the server named on the command line. */
type MakeContext = (server: string | undefined) => Context;

/** The commands and their options. `done` gets the exit code of the one that ran. */
export function createProgram(makeContext: MakeContext, done: (code: number) => void): Command {
  const program = new Command('maps')
    .description('Runs Python scripts as isolated jobs, and shows what they print while they run.')
    .option('--server <address>', 'address of the service')
    .version(version())
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', ENVIRONMENT)
    .showHelpAfterError('See: maps --help')
    .exitOverride();
  const withContext = (command: (context: Context) => Promise<number>): Promise<void> =>
    command(makeContext(program.opts<{ server?: string }>().server)).then(done);

  addRun(program, withContext);
  addLogs(program, withContext);
  addList(program, withContext);
  program
    .command('get <id>')
    .description('show one job and its outputs')
    .option('--json', 'as JSON')
    .action((id: string, options: { json?: boolean }) => withContext((context) => get(id, options, context)));
  program
    .command('cancel <id...>')
    .description('end jobs; one that has ended is left as it is')
    .action((ids: string[]) => withContext((context) => cancel(ids, context)));
  program
    .command('delete <id...>')
    .description('delete ended jobs with their logs and outputs')
    .action((ids: string[]) => withContext((context) => remove(ids, context)));
  program
    .command('download <id> [folder]')
    .description('fetch what a job left in /output (into a folder named by its id)')
    .action((id: string, folder?: string) => withContext((context) => download(id, folder, context)));
  program
    .command('backup <file>')
    .description("write a copy of the service's SQLite database into a file, while the service runs")
    .option('--force', 'replace the file if it is there')
    .action((file: string, options: BackupOptions) =>
      withContext((context) => backup(file, options, context)),
    );
  return program;
}

type WithContext = (command: (context: Context) => Promise<number>) => Promise<void>;

function addRun(program: Command, withContext: WithContext): void {
  program
    .command('run <script>')
    .description('run a Python script; "-" reads it from standard input')
    .addHelpText('before', RUN_EXAMPLES)
    .option('-f, --follow', "stay until the end: the script's output and exit code become this command's")
    .option('--download <folder>', 'follow, then fetch the outputs into this folder')
    .option('--request <json|@file>', 'reaches the script as /input/request.json')
    .option('--file <path|name=path>', 'a file for /input; may be given often', collect)
    .option('--env <name=value|name>', "a variable for the script; a name alone passes this shell's", collect)
    .option('--secret <name>', 'a secret of the service, as a variable; may be given often', collect)
    .option('--label <name=value>', 'a label of the job; may be given often', collectPair)
    .option('--name <name>', "name of the job (default: the script's)")
    .option('--environment <name>', 'one of the environments of the service')
    .option('--timeout <time>', 'time limit: seconds, or 90s, 5m, 2h', toSeconds)
    .option('--memory <size>', 'memory limit: MiB, or 512m, 2g', toMebibytes)
    .option('--cpus <number>', 'CPU limit; fractions are allowed', toNumber)
    .addOption(new Option('--network <access>', 'what the script may reach').choices(['none', 'internet']))
    .option('--retries <number>', 'run a script that failed again so often', toInteger)
    .option('--priority <number>', 'higher ones run first, -1000 to 1000', toInteger)
    .option('--idempotency-key <key>', 'the same key and request find the job made before')
    .option('--json', 'the job as JSON; with --follow a line per chunk and one for the job')
    .action((script: string, options: RunCommandOptions) =>
      withContext((context) => run(script, options, context)),
    );
}

function addLogs(program: Command, withContext: WithContext): void {
  program
    .command('logs <id>')
    .description('print what a job printed')
    .option('-f, --follow', 'and what it prints until its end')
    .option('--after <cursor>', 'begin behind this chunk (its cursor is shown by --json)')
    .option('--json', 'a line of JSON per chunk')
    .action((id: string, options: LogsOptions) => withContext((context) => logs(id, options, context)));
}

function addList(program: Command, withContext: WithContext): void {
  program
    .command('list')
    .description('show jobs, newest first')
    .option(
      '--state <state>',
      `only these: ${JOB_STATES.join(', ').toLowerCase()}; may be given often`,
      collectState,
    )
    .option('--label <name=value>', 'only jobs with this label; may be given often', collectPair)
    .option('-n, --limit <number>', 'at most so many', toPositiveInteger, 20)
    .option('--json', 'as a JSON array')
    .action((options: ListOptions) => withContext((context) => list(options, context)));
}

function collectState(text: string, before: JobState[] = []): JobState[] {
  const states = text
    .toUpperCase()
    .split(',')
    .map((name) => {
      const state = JOB_STATES.find((each) => each === name);
      if (state === undefined) throw new InvalidArgumentError(`There is no state ${name.toLowerCase()}.`);
      return state;
    });
  return [...before, ...states];
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
