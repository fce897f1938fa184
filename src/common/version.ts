import { readFileSync } from 'node:fs';

/** This service's version, from its package.json: two folders up both from `src/` and from `dist/`. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
