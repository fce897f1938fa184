import type { Log } from '../../src/common/log.js';

/** A log that says nothing to anybody. */
export const SILENT_LOG: Log = recordedLog(() => undefined);

/** A log that hands its warnings to `onWarning`, and says nothing else. */
export function recordedLog(onWarning: (message: string) => void): Log {
  const silent = (): void => undefined;
  return { debug: silent, info: silent, warn: (_fields, message) => onWarning(message), error: silent };
}
