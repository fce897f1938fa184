import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../lib/api.mjs';
import { kubeNamespace } from '../lib/kube-namespace.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../lib/stats.mjs';

export const title = 'log latency, Kubernetes: print in the pod → subscriber';

const LINES = 400;
/** Each line says when it was printed; pod and subscriber share this machine's clock. */
const SCRIPT = `import time
time.sleep(2)
for _ in range(${LINES}):
    print(time.time_ns() / 1e6, flush=True)
    time.sleep(0.02)
`;
const FOLLOW = 'subscription ($id: ID!) { jobLogs(jobId: $id) { chunks { text } job { state } } }';

export async function measure() {
  const { namespace, variables } = await kubeNamespace();
  const server = await startServer('kubernetes', variables);
  const api = await connect(server.url);
  const id = await api.runScript(SCRIPT);
  const bare = followByKubectl(namespace, `runner-${id}`);
  const own = [];
  await api.subscribe(FOLLOW, { id }, ({ jobLogs }) => {
    const now = performance.timeOrigin + performance.now();
    for (const { text } of jobLogs.chunks) {
      for (const line of text.split('\n')) if (line) own.push(now - Number(line));
    }
  });
  if (own.length !== LINES) throw new Error(`${own.length} of ${LINES} lines came`);
  const baseline = summarize(await bare);
  const subject = summarize(own);
  return [
    {
      what: 'log latency, Kubernetes (p50)',
      unit: 'ms',
      subject,
      baseline,
      ratio: subject.p50 / baseline.p50,
    },
  ];
}

/** The same lines by `kubectl logs -f`, from the moment the pod has a log. */
async function followByKubectl(namespace, pod) {
  for (;;) {
    const latencies = [];
    const child = spawn('kubectl', ['logs', '-f', pod, '-n', namespace], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface(child.stdout)) {
      // Until the container runs, it says so in words.
      const printedAt = Number(line);
      if (printedAt > 0) latencies.push(performance.timeOrigin + performance.now() - printedAt);
    }
    if (latencies.length > 0) return latencies;
    await sleep(50);
  }
}
