import type { HandleBase } from '../handle.js';

export interface PodHandle extends HandleBase {
  runtime: 'kubernetes';
  name: string;
  /** The pod's own id: a name can be taken again. Null when only the ConfigMap was made yet. */
  uid: string | null;
  /** The id of its workspace, where the stop request is left. */
  workspace: string;
}
