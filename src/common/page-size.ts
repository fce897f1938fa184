import { BadInputError } from './app-error.js';

/** The `first` of a page: `fallback` where it is null. @throws BadInputError outside 1..max */
export function pageSize(first: number | null | undefined, fallback: number, max: number): number {
  const size = first ?? fallback;
  if (size < 1 || size > max) throw new BadInputError(`first must be 1 to ${max}.`, 'first');
  return size;
}
