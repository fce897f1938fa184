import type { V1EnvVar } from '@kubernetes/client-node';
import { RUNNER_VARIABLES } from '../../../runner/variables.js';

/** How a runner waits for the cluster's network policy; see "The wait for a closed network" in docs/runner-contract.md. */
export interface NetworkGate {
  readonly seconds: number;
  /** The script does not begin unless the network was seen closed. */
  readonly isRequired: boolean;
}

const NODE_IP = 'RUNNER_NODE_IP';
const KUBELET_PORT = 10250;
/**
 * Two addresses that answer every pod of a cluster without a policy, so that one that is merely down is not taken for one.
 * They are reached in two ways, through the node and at the node itself. The kubelet puts both in: Kubernetes gives the
 * API server's address to every container.
 */
const ADDRESSES = [
  '$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)',
  `$(${NODE_IP}):${KUBELET_PORT}`,
].join(',');

/** What tells the runner to wait; nothing without a gate. Pure. */
export function gateVariables(gate: NetworkGate | undefined): V1EnvVar[] {
  if (!gate) return [];
  return [
    { name: NODE_IP, valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } },
    { name: RUNNER_VARIABLES.awaitClosed, value: ADDRESSES },
    { name: RUNNER_VARIABLES.awaitClosedSeconds, value: String(gate.seconds) },
    ...(gate.isRequired ? [] : [{ name: RUNNER_VARIABLES.awaitClosedElse, value: 'start' }]),
  ];
}
