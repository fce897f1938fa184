import { connect } from '../lib/api.mjs';
import { kubeNamespace } from '../../tools/kube-namespace.mjs';
import { startServer } from '../lib/server.mjs';
import { summarize } from '../../tools/stats.mjs';
import { TIMED_SCRIPT, followByCommand, followTimedLines } from '../lib/timed-lines.mjs';

export const title = 'log latency, Kubernetes: print in the pod → subscriber';

export async function measure() {
  const { namespace, variables } = await kubeNamespace();
  const server = await startServer('kubernetes', variables);
  const api = await connect(server.url);
  const id = await api.runScript(TIMED_SCRIPT);
  const [own, bare] = await Promise.all([
    followTimedLines(api, id),
    followByCommand('kubectl', ['logs', '-f', `runner-${id}`, '-n', namespace]),
  ]);
  const [subject, baseline] = [summarize(own), summarize(bare)];
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
