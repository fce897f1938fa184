import { KiB } from '../common/bytes.js';
import type { JobOrder } from '../runner/order.js';

/** What is written into a workspace. */
export interface WorkspaceContent {
  script: string;
  /** JSON; becomes `/input/request.json`. */
  requestText: string;
  files: readonly InputFile[];
  order: JobOrder;
}

export interface InputFile {
  /** Relative; `inputPathFault` finds nothing wrong with it. */
  path: string;
  content: Buffer;
}

/** As it is written. */
export interface WorkspaceTexts {
  script: string;
  request: string;
  order: string;
  files: readonly InputFile[];
  /** About: characters of the texts, bytes of the files, which take a page each at least. */
  bytes: number;
}

export function toTexts({ script, requestText, order, files }: WorkspaceContent): WorkspaceTexts {
  const texts = { script, request: requestText, order: JSON.stringify(order), files };
  const ofFiles = files.reduce((sum, { content }) => sum + Math.max(content.length, 4 * KiB), 0);
  return { ...texts, bytes: script.length + texts.request.length + texts.order.length + ofFiles };
}
