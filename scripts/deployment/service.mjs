// Uses a deployed service as its users do: with the `maps` command, over the network.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../prepare.mjs';
import { check, expect } from './checks.mjs';
import { run } from './commands.mjs';

const EXAMPLES = join(ROOT, 'examples');
const CLI = join(ROOT, 'dist', 'cli', 'main.js');

/** Prints one line at a time, so that something is seen while it runs, and long enough to do something meanwhile. */
export function countingScript(lines, secondsEach) {
  return `import time\nfor i in range(${lines}):\n    print("line", i, flush=True)\n    time.sleep(${secondsEach})\n`;
}

export function countedLines(lines) {
  return Array.from({ length: lines }, (_, i) => `line ${i}\n`).join('');
}

export class Service {
  constructor(url, token) {
    this.url = url;
    this.env = { MAPS_SERVER: url, MAPS_API_TOKEN: token, MAPS_API_TOKEN_FILE: '' };
  }

  maps(args, options = {}) {
    return run(process.execPath, [CLI, ...args], { env: this.env, timeoutMs: 180_000, ...options });
  }

  async health() {
    const response = await fetch(`${this.url}/health`, { signal: AbortSignal.timeout(3_000) });
    return response.json();
  }

  /** Starts a script from its source and returns the job's id. */
  async start(source) {
    const { code, stdout, stderr } = await this.maps(['run', '-', '--json'], { input: source });
    expect(code === 0, `maps run ended with ${code}: ${stderr}`);
    return JSON.parse(stdout).id;
  }

  /** Runs every example and compares what comes back with its `expected` folder. */
  async checkExamples() {
    const names = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const { name } of names) await check(`examples/${name}`, () => this.checkExample(name));
  }

  async checkExample(name) {
    const folder = join(EXAMPLES, name);
    const read = (file) => readOr(join(folder, 'expected', file));
    const target = mkdtempSync(join(tmpdir(), 'maps-check-'));
    try {
      const args = ['run', join(folder, 'script.py'), ...inputsOf(folder), '--download', target];
      const { code, stdout, stderr } = await this.maps(args);
      expect(code === Number(read('exit-code.txt')), `it ended with ${code}:\n${stderr}`);
      expect(stdout === read('stdout.txt'), `it printed something else:\n${stdout}`);
      const missing = linesOf(read('stderr.txt')).filter((line) => !stderr.includes(line));
      expect(missing.length === 0, `standard error lacks: ${missing.join()}`);
      const files = readdirSync(target, { recursive: true }).map(String).sort();
      expect(files.join() === linesOf(read('files.txt')).join(), `it left other files: ${files.join()}`);
      for (const file of files) checkContent(join(folder, 'expected', 'outputs', file), join(target, file));
      return `${files.length} outputs`;
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }

  /** A line is seen while the script still has seconds to go. */
  async checkLiveLog() {
    let firstAt = 0;
    const { code, stdout } = await this.maps(['run', '-', '--follow'], {
      input: countingScript(8, 0.5),
      onStdout: () => (firstAt ||= Date.now()),
    });
    const before = (Date.now() - firstAt) / 1000;
    expect(code === 0 && stdout === countedLines(8), `it ended with ${code}:\n${stdout}`);
    expect(firstAt > 0 && before > 2, `the first line came ${before} s before the end`);
    return `first line ${before.toFixed(1)} s before the end`;
  }
}

function inputsOf(folder) {
  const request = join(folder, 'request.json');
  const input = join(folder, 'input');
  return [
    ...(existsSync(request) ? ['--request', `@${request}`] : []),
    ...(existsSync(input) ? readdirSync(input) : []).flatMap((file) => ['--file', join(input, file)]),
  ];
}

/** Exact where the content is pinned; drawings and maps differ by a library's version and must only be there. */
function checkContent(expected, found) {
  const content = readFileSync(found);
  if (existsSync(expected))
    expect(content.equals(readFileSync(expected)), `${found} differs from ${expected}`);
  else expect(content.length > 0, `${found} is empty`);
}

function readOr(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

function linesOf(text) {
  return text.split('\n').filter((line) => line !== '');
}
