/** The `code` of a Node system error (`ENOENT`, …). Also of one from another realm, which test runners make. */
export function systemErrorOf(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
