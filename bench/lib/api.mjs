import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { atEnd } from '../../tools/cleanup.mjs';

/** A client of one server as applications have it: HTTP kept alive, one socket that is open already. */
export async function connect(url) {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => undefined,
  });
  const close = atEnd(async () => client.dispose());
  await new Promise((resolve, reject) => {
    client.on('connected', resolve);
    client.on('closed', () => reject(new Error('the socket was refused')));
  });
  const ask = (query, variables) => post(url, query, variables);
  return {
    ask,
    close,
    runScript: async (script, more = {}) => {
      const input = { script, ...more };
      const { runScript } = await ask(
        'mutation ($input: RunScriptInput!) { runScript(input: $input) { job { id } } }',
        { input },
      );
      return runScript.job.id;
    },
    /** A subscription without an end of its own. */
    open: (query, variables, onEvent) => ({
      stop: client.subscribe(
        { query, variables },
        {
          next: ({ data, errors }) => {
            if (errors) throw new Error(errors[0].message);
            onEvent(data);
          },
          error: (error) => console.error(`a subscription broke: ${toError(error).message}`),
          complete: () => undefined,
        },
      ),
    }),
    /** Calls `onEvent` with each event; resolves when the server has completed the subscription, rejects with what `onEvent` throws. */
    subscribe: (query, variables, onEvent) =>
      new Promise((resolve, reject) => {
        const take = ({ data, errors }) => {
          if (errors) throw new Error(errors[0].message);
          onEvent(data);
        };
        const stop = client.subscribe(
          { query, variables },
          {
            next: (result) => {
              try {
                take(result);
              } catch (error) {
                reject(error);
                stop();
              }
            },
            error: (error) => reject(toError(error)),
            complete: resolve,
          },
        );
      }),
  };
}

export async function post(url, query, variables) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(errors[0].message);
  return data;
}

function toError(error) {
  if (error instanceof Error) return error;
  return new Error(Array.isArray(error) ? error[0].message : 'the socket was closed');
}
