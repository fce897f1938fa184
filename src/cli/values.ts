import { InvalidArgumentError } from 'commander';

/** The values of options. Each throws `InvalidArgumentError`, which commander turns into a sentence. */

const SECONDS = { s: 1, m: 60, h: 3600 } as const;
const MEBIBYTES = { m: 1, g: 1024 } as const;

/** `60`, `60s`, `5m`, `2h` → seconds. */
export function toSeconds(text: string): number {
  const [, number, unit] = /^(\d+)(s|m|h)?$/.exec(text.trim()) ?? [];
  if (number === undefined) throw new InvalidArgumentError('Give seconds, or a time such as 90s, 5m or 2h.');
  return Number(number) * SECONDS[(unit ?? 's') as keyof typeof SECONDS];
}

/** `512`, `512m`, `2g` → MiB. */
export function toMebibytes(text: string): number {
  const [, number, unit] = /^(\d+)([mg])?(?:i?b)?$/.exec(text.trim().toLowerCase()) ?? [];
  if (number === undefined) throw new InvalidArgumentError('Give MiB, or a size such as 512m or 2g.');
  return Number(number) * MEBIBYTES[(unit ?? 'm') as keyof typeof MEBIBYTES];
}

export function toInteger(text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new InvalidArgumentError('Give a whole number.');
  return Number(text);
}

export function toPositiveInteger(text: string): number {
  const value = toInteger(text);
  if (value < 1) throw new InvalidArgumentError('Give a whole number above 0.');
  return value;
}

export function toNumber(text: string): number {
  if (!/^\d*\.?\d+$/.test(text)) throw new InvalidArgumentError('Give a number, for example 0.5.');
  return Number(text);
}

export interface Pair {
  name: string;
  value: string;
}

/** For options that may be given often: `k=v`, at the first `=`. */
export function collectPair(text: string, before: Pair[] = []): Pair[] {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('Give name=value.');
  return [...before, { name: text.slice(0, at), value: text.slice(at + 1) }];
}

export function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}
