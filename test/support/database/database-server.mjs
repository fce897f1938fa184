/**
 * A server reduced to its database, in a process of its own that can be killed: opens it with the variables it is given
 * (`node database-server.mjs <variables as JSON>`), says "open" or why it cannot, and waits for SIGTERM.
 */
import 'reflect-metadata';
import { register } from 'node:module';

register(new URL('../service/process-server.mjs', import.meta.url));
const sources = new URL('../../../src/', import.meta.url);
const { loadConfig } = await import(new URL('config/load-config.ts', sources).href);
const { Database } = await import(new URL('database/database.ts', sources).href);
try {
  const database = new Database(loadConfig(JSON.parse(process.argv[2])));
  await database.migrate();
  process.stdout.write('open\n');
  setInterval(() => database.ping(), 60_000);
  process.once('SIGTERM', () => database.onApplicationShutdown().then(() => process.exit()));
} catch (error) {
  process.stdout.write(`${error.name}: ${error.message}\n`);
}
