import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A module of the built server: what is compared with it then uses the very same settings. */
export function fromDist(path) {
  return import(new URL(`../dist/${path}`, import.meta.url));
}
