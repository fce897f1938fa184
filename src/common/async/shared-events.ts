/** Events that are the same for everybody who is given them; known by identity. */
const shared = new WeakSet<object>();

/** Says that whoever may receive `event` would be shown the same of it, so that one answer can serve all of them. */
export function markShared<T extends object>(event: T): T {
  shared.add(event);
  return event;
}

export function isShared(event: unknown): event is object {
  return typeof event === 'object' && event !== null && shared.has(event);
}
