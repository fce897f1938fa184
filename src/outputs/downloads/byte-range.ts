import parseRange from 'range-parser';

export type ByteRange =
  | { kind: 'whole' }
  | { kind: 'part'; start: number; end: number }
  /** No byte of the file is asked for. */
  | { kind: 'unsatisfiable' };

/** What a `Range` header asks of a file of `size` bytes. Several ranges at once are answered with the whole file. */
export function toByteRange(header: string | undefined, size: number): ByteRange {
  if (header === undefined) return { kind: 'whole' };
  const ranges = parseRange(size, header, { combine: true });
  if (ranges === -1) return { kind: 'unsatisfiable' };
  if (ranges === -2 || ranges.type !== 'bytes' || ranges.length !== 1) return { kind: 'whole' };
  const [range] = ranges;
  return range ? { kind: 'part', ...range } : { kind: 'whole' };
}
