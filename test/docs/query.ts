import { OperationTypeNode, getOperationAST, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { PageService } from './page-service.js';

/** Sends a query as a client would, and returns what came: one line of JSON for each answer. */
export async function runQuery(
  service: PageService,
  query: string,
  variables: Record<string, unknown>,
  seconds: number,
): Promise<string> {
  const answers = isSubscription(query)
    ? await subscribe(service.url, query, variables, seconds)
    : [await service.ask(query, variables)];
  for (const { errors } of answers)
    if (errors) throw new Error(`The service answers with errors: ${JSON.stringify(errors)}`);
  return answers.map(({ data }) => JSON.stringify(data)).join('\n');
}

function isSubscription(query: string): boolean {
  return getOperationAST(parse(query))?.operation === OperationTypeNode.SUBSCRIPTION;
}

async function subscribe(
  url: string,
  query: string,
  variables: Record<string, unknown>,
  seconds: number,
): Promise<{ data?: unknown; errors?: unknown }[]> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const deadline = setTimeout(() => client.terminate(), seconds * 1000);
  const events = [];
  try {
    for await (const event of client.iterate({ query, variables })) events.push(event);
    return events;
  } catch (error) {
    throw new Error(`The subscription broke off: ${JSON.stringify(error)}`, { cause: error });
  } finally {
    clearTimeout(deadline);
    await client.dispose();
  }
}
