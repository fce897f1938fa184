import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load-config.js';
import type { KubernetesConfig } from './kubernetes-config.js';
import { KUBERNETES } from './kubernetes.definition.js';

describe('the configuration of the kubernetes runtime', () => {
  it('reads what is expected of the network: auto, or a boolean as any other', () => {
    const policyOf = (K8S_NETWORK_POLICY: string): unknown =>
      (loadConfig({ K8S_NETWORK_POLICY }, [KUBERNETES]).runtimes.kubernetes as KubernetesConfig)
        .K8S_NETWORK_POLICY;
    const read = ['', 'auto', 'true', 'yes', 'false', '0'].map(policyOf);
    expect(read).toEqual(['auto', 'auto', true, true, false, false]);
    expect(() => policyOf('maybe')).toThrow('K8S_NETWORK_POLICY must be auto, true or false');
  });
});
