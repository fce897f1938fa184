import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { ApiToken } from './auth/api-token.js';
import { guardRequests } from './auth/guard-requests.js';
import { RequestGuard } from './auth/request-guard.js';
import { MiB } from './common/bytes.js';
import { newId } from './common/ids.js';
import { LOG } from './common/log.js';
import type { Log } from './common/log.js';
import { HttpConfig } from './config/parts/http-config.js';
import { answerFrameworkError } from './http/framework-errors.js';
import { SubscriptionServer } from './graphql/subscription.server.js';
import { NestLog } from './nest-log.js';
import type { RuntimeDefinition } from './runtime/runtime-definition.js';

/** A legal request (900 KiB of script, as much of request, 2 MiB of files as Base64) is larger than Fastify's 1 MiB. */
const BODY_LIMIT_BYTES = 4 * MiB;

/** Fastify loads two hundred modules to compile the JSON schemas of routes, of which there are none. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: refuseSchemas, buildSerializer: refuseSchemas } };

/** Builds the whole service, not yet listening. `variables` stand in for the environment, `runtimes` for those it has. */
export async function createApp(
  variables?: Record<string, string | undefined>,
  runtimes?: readonly RuntimeDefinition[],
): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT_BYTES,
    frameworkErrors: answerFrameworkError,
    genReqId: () => newId(),
    // Keys like these are data here: nothing is merged into objects of ours.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    forceCloseConnections: true,
    schemaController: NO_SCHEMAS,
  });
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.forRoot(variables, runtimes),
    adapter,
    {
      logger: false,
      abortOnError: false,
    },
  );
  app.useLogger(new NestLog(app.get<Log>(LOG)));
  adapter.getInstance().addHook('preClose', () => app.get(SubscriptionServer).close());
  guardRequests(adapter.getInstance(), app.get(RequestGuard), app.get(ApiToken));
  const { ALLOWED_ORIGINS } = app.get(HttpConfig);
  if (ALLOWED_ORIGINS.length > 0) app.enableCors({ origin: ALLOWED_ORIGINS });
  return app;
}

function refuseSchemas(): never {
  throw new Error('Routes have no JSON schemas here; leave NO_SCHEMAS out where the first one comes.');
}
