import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import type { ApolloDriverConfig } from '@nestjs/apollo';
import { ApolloDriver } from '@nestjs/apollo';
import { Module } from '@nestjs/common';
import { GraphQLModule } from '@nestjs/graphql';
import type { FastifyRequest } from 'fastify';
import type { Log } from '../common/log.js';
import { LOG } from '../common/log.js';
import { HttpConfig } from '../config/parts/http-config.js';
import { ExecutionModule } from '../execution/execution.module.js';
import { JobsModule } from '../jobs/jobs.module.js';
import { LogsModule } from '../logs/logs.module.js';
import { errorPlugin, queryCostPlugin } from './apollo.plugins.js';
import { MAX_QUERY_TOKENS } from './query-cost.js';
import { createContext } from './request-context.js';
import { ServiceResolver } from './service.resolver.js';
import { SubscriptionServer } from './subscription.server.js';

@Module({
  imports: [
    JobsModule,
    LogsModule,
    ExecutionModule,
    GraphQLModule.forRootAsync<ApolloDriverConfig>({
      driver: ApolloDriver,
      inject: [HttpConfig, LOG],
      useFactory: (config: HttpConfig, log: Log): ApolloDriverConfig => ({
        autoSchemaFile: true,
        sortSchema: true,
        introspection: config.GRAPHQL_INTROSPECTION,
        includeStacktraceInErrorResponses: false,
        parseOptions: { maxTokens: MAX_QUERY_TOKENS },
        // The stock landing page loads scripts from elsewhere.
        playground: false,
        plugins: [ApolloServerPluginLandingPageDisabled(), queryCostPlugin, errorPlugin(log)],
        context: ({ principal, id }: FastifyRequest) => {
          if (!principal) throw new Error('a request reached GraphQL that was not let in');
          return createContext(principal, id);
        },
      }),
    }),
  ],
  providers: [SubscriptionServer, ServiceResolver],
  exports: [SubscriptionServer],
})
export class GraphqlApiModule {}
