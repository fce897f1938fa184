import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1ConfigMap } from '@kubernetes/client-node';
import { MiB } from '../../../common/bytes.js';
import { ORDER_FILE, SCRIPT_FILE } from '../../../runner/files.js';
import type { WorkloadSpec } from '../../runtime-provider.js';
import { toLabels } from '../labels.js';
import type { PodTemplate } from './to-pod.js';

/** What the API server takes in one ConfigMap. */
const MAX_DATA_BYTES = MiB;
const FILES = [SCRIPT_FILE, ORDER_FILE];

/**
 * The script and its order, as the pod finds them in `/job`. A ConfigMap that would be too large (an environment full of
 * escapes) stays empty: the pod then takes them from the volume claim, where they lie too.
 */
export async function toConfigMap(spec: WorkloadSpec, template: PodTemplate): Promise<V1ConfigMap> {
  const texts = await Promise.all(FILES.map((name) => readFile(join(spec.workspace.jobDir, name), 'utf8')));
  const size = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const data = Object.fromEntries(FILES.map((name, at) => [name, texts[at] ?? '']));
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: spec.name,
      namespace: template.namespace,
      labels: toLabels(spec, template.installationId),
    },
    immutable: true,
    data: size > MAX_DATA_BYTES ? {} : data,
  };
}

export function hasContent(configMap: V1ConfigMap): boolean {
  return Object.keys(configMap.data ?? {}).length > 0;
}
