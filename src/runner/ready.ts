/** What a worker says when it is ready: `/spool/ready` of docs/runner-contract.md. */
export interface ReadyReport {
  readonly environmentRead: readonly string[];
  /** Modules that could not be imported, for which none was. */
  readonly failed: readonly { module: string; reason: string }[];
  /** Whether it touches its file all the time from now on. */
  readonly hasHeartbeat: boolean;
}

/** Undefined for a text that is no such report: libraries of the image ran before it was written. */
export function parseReadyReport(text: string): ReadyReport | undefined {
  try {
    const fields = JSON.parse(text) as Record<string, unknown> | null;
    if (fields?.['version'] !== 1) return undefined;
    return {
      environmentRead: texts(fields['environmentRead']),
      failed: failures(fields['failed']),
      hasHeartbeat: Number(fields['heartbeatSeconds']) > 0,
    };
  } catch {
    return undefined;
  }
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function failures(value: unknown): ReadyReport['failed'] {
  if (!Array.isArray(value)) return [];
  return value.map((each: unknown) => {
    const { module, reason } = (each ?? {}) as { module?: unknown; reason?: unknown };
    return { module: String(module), reason: String(reason) };
  });
}
