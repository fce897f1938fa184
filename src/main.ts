#!/usr/bin/env node
import 'reflect-metadata';
import { ShutdownSignal } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { settledWithin } from './common/async/abort.js';
import { errnoOf, messageOf } from './common/app-error.js';
import { LOG } from './common/log.js';
import type { Log } from './common/log.js';
import { HttpConfig } from './config/parts/http-config.js';
import { createApp } from './create-app.js';

/** What asks a server to stop. Any other signal does what it does to every program. */
const STOP_SIGNALS = [
  ShutdownSignal.SIGTERM,
  ShutdownSignal.SIGINT,
  ShutdownSignal.SIGHUP,
  ShutdownSignal.SIGQUIT,
];
/** As long as a server that is told to stop may take. */
const CLOSE_PATIENCE_MS = 20_000;

/** Starts the service; says in one JSON line where it listens, or in one sentence why it cannot. */
async function main(): Promise<void> {
  const app = await createApp();
  app.enableShutdownHooks(STOP_SIGNALS);
  process.on('SIGUSR2', () => app.get<Log>(LOG).warn({}, 'SIGUSR2 means nothing here, and is ignored'));
  await listen(app);
  // Not through the log, whose level may hide it: scripts and supervisors wait for this line.
  process.stdout.write(
    `${JSON.stringify({ level: 30, time: new Date(), url: await app.getUrl(), msg: 'listening' })}\n`,
  );
}

/** By the time that the address turns out to be taken, workers wait already: they are taken away again. */
async function listen(app: NestFastifyApplication): Promise<void> {
  const { PORT, HOST } = app.get(HttpConfig);
  try {
    await app.listen(PORT, HOST);
  } catch (error) {
    complain(
      errnoOf(error) === 'EADDRINUSE'
        ? `Something else listens on port ${PORT} of ${HOST} already. Stop it, or set PORT to a free one.`
        : messageOf(error),
    );
    await settledWithin(app.close(), CLOSE_PATIENCE_MS);
    process.exit(1);
  }
}

function complain(why: string): void {
  process.stderr.write(`The service cannot start. ${why}\n`);
}

main().catch((error: unknown) => {
  complain(messageOf(error));
  process.exitCode = 1;
  // Something half-started may still hold the event loop.
  setTimeout(() => process.exit(1), 1_000).unref();
});
