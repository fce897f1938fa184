#!/usr/bin/env node
import 'reflect-metadata';
import { messageOf } from './common/app-error.js';
import { AppConfig } from './config/app-config.js';
import { createApp } from './create-app.js';

/** Starts the service; says in one JSON line where it listens, or in one sentence why it cannot. */
async function main(): Promise<void> {
  const app = await createApp();
  app.enableShutdownHooks();
  const config = app.get(AppConfig);
  await app.listen(config.PORT, config.HOST);
  // Not through the log, whose level may hide it: scripts and supervisors wait for this line.
  process.stdout.write(
    `${JSON.stringify({ level: 30, time: new Date(), url: await app.getUrl(), msg: 'listening' })}\n`,
  );
}

main().catch((error: unknown) => {
  process.stderr.write(`The service cannot start. ${messageOf(error)}\n`);
  process.exitCode = 1;
  // Something half-started may still hold the event loop.
  setTimeout(() => process.exit(1), 1_000).unref();
});
