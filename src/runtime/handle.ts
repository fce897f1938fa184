/** A workload's handle: small, versioned JSON; what is in it besides these is its runtime's business. */
export interface HandleBase {
  v: 1;
  runtime: string;
  scope: string;
}

export function encodeHandle<T extends HandleBase>(handle: T): string {
  return JSON.stringify(handle);
}

/** Reads a handle made by `runtime`; undefined for another runtime's, another version's or a damaged one. */
export function decodeHandle<T extends HandleBase>(text: string, runtime: T['runtime']): T | undefined {
  try {
    const handle = JSON.parse(text) as T | null;
    return handle?.v === 1 && handle.runtime === runtime ? handle : undefined;
  } catch {
    return undefined;
  }
}
