import { cleanUp } from '../tools/cleanup.mjs';

/** Measures one figure in a process of its own and sends what it found to its parent. */
const [name, options] = process.argv.slice(2);
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => void cleanUp().finally(() => process.exit(1)));
}

try {
  const { measure } = await import(`./figures/${name}.mjs`);
  const figures = await measure(JSON.parse(options));
  process.send?.(figures);
} catch (error) {
  console.error(`${name}: ${error.stack}`);
  process.exitCode = 1;
} finally {
  await cleanUp();
  process.disconnect?.();
}
