import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, buildMaps, maps } from './support/service/maps-cli.js';
import { whyNoDocker } from './support/runtimes/docker/runtime-docker.js';
import { findProcess } from './support/runtimes/process/runtime-process.js';
import { describeTier, isRequired } from './support/runtimes/runtime-tier.js';
import { TestService } from './support/service/service.js';

const EXAMPLES = join(ROOT, 'examples');
const IMAGE = 'py-exec:latest';
const names = readdirSync(EXAMPLES, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

const noDocker = await whyNoDocker(IMAGE);

// Every example has its image on Docker. Without it, those run whose modules this machine's Python has.
describeTier(isRequired('docker') ? 'docker' : 'docker-latest', noDocker, () =>
  describeExamples({ EXECUTION_RUNTIME: 'docker', RUNNER_IMAGE: IMAGE }, () => undefined),
);
if (noDocker !== undefined) {
  const { unavailable, variables, used } = await findProcess();
  describeTier(
    'process',
    unavailable,
    () => describeExamples(variables, (name) => whyNoModules(name, variables.PROCESS_PYTHON!)),
    used,
  );
}

function describeExamples(
  variables: Record<string, string>,
  whyNot: (name: string) => string | undefined,
): void {
  describe(`the examples on ${variables.EXECUTION_RUNTIME}`, () => {
    let service: TestService;
    let target: string;
    beforeAll(async () => {
      await buildMaps();
      service = await TestService.start(variables);
      target = mkdtempSync(join(tmpdir(), 'maps-examples-'));
    });
    afterAll(async () => {
      await service?.stop();
      if (target) rmSync(target, { recursive: true, force: true });
    });

    for (const name of names) {
      const why = whyNot(name);
      if (why !== undefined) process.stderr.write(`SKIPPED example ${name}: ${why}\n`);
      (why === undefined ? it : it.skip)(
        `${name} does what its folder says`,
        () => expectExample(name, service, join(target, name)),
        120_000,
      );
    }
  });
}

async function expectExample(name: string, service: TestService, target: string): Promise<void> {
  const args = ['run', path(name, 'script.py'), ...inputsOf(name), '--download', target];
  const { code, stdout, stderr } = await maps(args, { MAPS_SERVER: service.url });
  expect({ code, stdout, stderr }).toMatchObject({
    code: Number(read(name, 'exit-code.txt')),
    stdout: read(name, 'stdout.txt'),
  });
  for (const line of lines(read(name, 'stderr.txt'))) expect(stderr).toContain(line);
  const files = existsSync(target) ? readdirSync(target, { recursive: true }).map(String).sort() : [];
  expect(files).toEqual(lines(read(name, 'files.txt')));
  for (const file of files) expectContent(name, file, readFileSync(join(target, file)));
}

/** Exact where `expected/outputs` holds the file; else that it is what its name says and not empty. */
function expectContent(name: string, file: string, content: Buffer): void {
  const expected = path(name, 'expected', 'outputs', file);
  if (existsSync(expected)) expect(content.toString()).toBe(readFileSync(expected, 'utf8'));
  else if (file.endsWith('.png')) {
    expect(content.subarray(1, 4).toString()).toBe('PNG');
    expect(content.length).toBeGreaterThan(20_000);
  } else if (file.endsWith('json')) expect(JSON.parse(content.toString())).toBeTruthy();
  else expect(content.length).toBeGreaterThan(0);
}

function inputsOf(name: string): string[] {
  const request = path(name, 'request.json');
  const folder = path(name, 'input');
  const files = existsSync(folder) ? readdirSync(folder) : [];
  return [
    ...(existsSync(request) ? ['--request', `@${request}`] : []),
    ...files.flatMap((file) => ['--file', join(folder, file)]),
  ];
}

function whyNoModules(name: string, python: string): string | undefined {
  const source = readFileSync(path(name, 'script.py'), 'utf8');
  const modules = new Set([...source.matchAll(/^(?:import|from) (\w+)/gm)].map(([, module]) => module));
  const question = 'import sys, importlib.util as u; print(*[m for m in sys.argv[1:] if not u.find_spec(m)])';
  const { stdout } = spawnSync(python, ['-c', question, ...[...modules].map(String)], { encoding: 'utf8' });
  return stdout.trim() === '' ? undefined : `${python} has no ${stdout.trim().replaceAll(' ', ', ')}`;
}

function path(name: string, ...rest: string[]): string {
  return join(EXAMPLES, name, ...rest);
}

function read(name: string, file: string): string {
  const expected = path(name, 'expected', file);
  return existsSync(expected) ? readFileSync(expected, 'utf8') : '';
}

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
