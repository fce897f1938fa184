/**
 * A server reduced to its process runtime, in a process of its own that can be killed: starts the workload it is told
 * to (`node process-server.mjs <options and spec as JSON>`), prints the handle, and waits for what comes.
 *
 * The same file holds the module hooks that let Node run the TypeScript sources.
 */
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

const SWC = {
  configFile: false,
  swcrc: false,
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2023',
  },
  module: { type: 'es6' },
};

export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('.') || !context.parentURL?.endsWith('.ts')) return next(specifier, context);
  return { url: new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL).href, shortCircuit: true };
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const { transform } = await import('@swc/core');
  const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), SWC);
  return { format: 'module', source: code, shortCircuit: true };
}

if (isMainThread) {
  register(import.meta.url);
  const sources = new URL('../../../src/runtime/process/', import.meta.url);
  const { createProcessRuntime } = await import(new URL('process.runtime.ts', sources).href);
  const { options, spec, starts } = JSON.parse(process.argv[2]);
  const { SILENT_LOG } = await import(new URL('../recorded-log.ts', import.meta.url).href);
  const runtime = await createProcessRuntime({ ...options, log: SILENT_LOG });
  const handles = await Promise.all(Array.from({ length: starts ?? 1 }, () => runtime.start(spec)));
  process.stdout.write(`${handles[0]}\n`);
  setInterval(() => undefined, 60_000);
}
