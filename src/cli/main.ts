#!/usr/bin/env node
import { CommanderError } from 'commander';
import { createContext } from './context.js';
import { toErrorText } from './error-text.js';
import { EXIT, exitCodeOfError } from './exit-codes.js';
import { createProgram } from './program.js';
import { Terminal } from './terminal.js';

async function main(terminal: Terminal): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(
    (server) => createContext(server, process.env, terminal),
    (result) => (code = result),
  );
  try {
    await program.parseAsync();
    return code;
  } catch (error) {
    // Commander has said what was wrong; asked-for help ends with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.refused;
    process.stderr.write(toErrorText(error));
    return exitCodeOfError(error);
  }
}

const terminal = new Terminal();
const exitCode = await main(terminal);
await terminal.flush();
// A socket that still says goodbye must not hold the prompt.
process.exit(exitCode);
