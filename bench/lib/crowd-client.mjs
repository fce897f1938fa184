import WebSocket from 'ws';

/**
 * One of the processes in which a crowd of subscribers lives: `crowd-client.mjs <url> <job id> <subscribers>`. Speaks
 * the graphql-ws protocol by hand, each subscriber on a socket of its own, so that a thousand cost little here.
 */
const [url, jobId, count] = process.argv.slice(2);
const FOLLOW = `subscription ($id: ID!) { jobLogs(jobId: $id) { chunks { seq text } job { state } } }`;
const latencies = [];

const subscribers = Array.from({ length: Number(count) }, () => subscribe());
await Promise.all(subscribers.map((each) => each.ready));
process.send({ ready: true });
const lines = await Promise.all(subscribers.map((each) => each.complete));
process.send({ lines, latencies: Float64Array.from(latencies) }, () => process.disconnect());

function subscribe() {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const send = (message) => socket.send(JSON.stringify(message));
  let seq = 0;
  let lines = 0;
  let rest = '';
  const take = ({ seq: at, text }, nowMs) => {
    if (at !== ++seq) throw new Error(`chunk ${at} came in place of ${seq}`);
    const parts = (rest + text).split('\n');
    rest = parts.pop();
    for (const part of parts) latencies.push(nowMs - Number(part) * 1000);
    lines += parts.length;
  };
  let onReady;
  const ready = new Promise((resolve) => (onReady = resolve));
  const complete = new Promise((resolve, reject) => {
    socket.on('open', () => send({ type: 'connection_init' }));
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`a socket was closed: ${code}`)));
    socket.on('message', (data) => {
      const nowMs = Date.now();
      const message = JSON.parse(data);
      switch (message.type) {
        case 'connection_ack':
          onReady();
          return send({ id: '1', type: 'subscribe', payload: { query: FOLLOW, variables: { id: jobId } } });
        case 'ping':
          return send({ type: 'pong' });
        case 'next':
          for (const chunk of message.payload.data.jobLogs.chunks) take(chunk, nowMs);
          return undefined;
        case 'complete':
          resolve(lines);
          return socket.close();
        case 'error':
          return reject(new Error(message.payload[0].message));
        default:
          return undefined;
      }
    });
  });
  return { ready, complete };
}
