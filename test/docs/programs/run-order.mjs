// Runs a script by the order on standard input, as a runtime would, and prints the frame with which its log ends.
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { bundledRunner } from './bundled-runner.mjs';

const SCRIPT = `import os
assert os.environ["NAME"] == "value"
assert len(os.environ["GOOGLE_API_KEY"]) == 36
`;
const HEADER_BYTES = 24;
const ENDED = 4;
const TIMEOUT_MS = 30_000;

const root = mkdtempSync(join(tmpdir(), 'maps-order-'));
try {
  const folders = Object.fromEntries(
    ['job', 'input', 'output', 'spool'].map((name) => [name, join(root, name)]),
  );
  for (const folder of Object.values(folders)) mkdirSync(folder);
  writeFileSync(join(folders.job, 'job.json'), await text(process.stdin));
  writeFileSync(join(folders.job, 'script.py'), SCRIPT);
  const { status, stderr } = spawnSync('python3', ['-u', bundledRunner(root)], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    env: {
      PATH: process.env.PATH,
      GOOGLE_API_KEY: randomUUID(),
      ...Object.fromEntries(
        Object.entries(folders).map(([name, folder]) => [`RUNNER_${name.toUpperCase()}_DIR`, folder]),
      ),
    },
  });
  const ended = lastFrame(readFileSync(join(folders.spool, 'log')));
  if (ended === undefined) throw new Error(`the runner ended with ${status}: ${stderr}`);
  console.log(ended);
  process.exitCode = status;
} finally {
  rmSync(root, { recursive: true, force: true });
}

/** The payload of the frame `ended`, if the log has one. */
function lastFrame(log) {
  for (let at = 0; at < log.length; at += HEADER_BYTES + log.readUInt32LE(at + 4))
    if (log[at + 2] === ENDED) return log.subarray(at + HEADER_BYTES).toString();
  return undefined;
}
