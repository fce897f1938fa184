import { runCommand } from './run-command.js';

/** A Python interpreter and every folder it needs, wherever it lives. */
export interface Interpreter {
  /** The real binary: version managers put a shell script of that name in PATH. */
  readonly executable: string;
  /** As in 3.11.2. */
  readonly version: string;
  /** Absolute folders: its prefixes, its standard library and what else is on its module path. */
  readonly folders: readonly string[];
}

const QUESTION = `
import json, os, sys, sysconfig
paths = sysconfig.get_paths()
folders = [paths["stdlib"], paths["platstdlib"], paths["purelib"], paths["platlib"], sys.prefix, sys.base_prefix, sys.base_exec_prefix]
folders += [os.path.abspath(entry) for entry in sys.path if entry]
print(json.dumps({
    "executable": sys.executable,
    "version": "%d.%d.%d" % sys.version_info[:3],
    "fits": sys.version_info >= (3, 9),
    "folders": [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)],
}))
`;

/** Asks the interpreter about itself; a sentence that says what is wrong, and what mends it, where it does not fit. */
export async function askInterpreter(python: string, signal?: AbortSignal): Promise<Interpreter | string> {
  const { exitCode, stdout, stderr } = await runCommand(python, ['-E', '-s', '-c', QUESTION], signal);
  if (exitCode !== 0) {
    return `Python does not run as '${python}' (${stderr}); install it (apt-get install python3) or set PROCESS_PYTHON.`;
  }
  try {
    const { fits, ...interpreter } = JSON.parse(stdout) as Interpreter & { fits: boolean };
    if (fits) return interpreter;
    return `'${python}' is Python ${interpreter.version}, but scripts need 3.9 or newer; set PROCESS_PYTHON.`;
  } catch {
    return `'${python}' does not answer like a Python interpreter; set PROCESS_PYTHON.`;
  }
}
