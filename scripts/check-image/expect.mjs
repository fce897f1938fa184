import { isDeepStrictEqual } from 'node:util';

export function expectEqual(what, seen, expected) {
  if (!isDeepStrictEqual(seen, expected))
    throw new Error(`${what} is ${shown(seen)}, not ${shown(expected)}`);
}

export function expect(condition, sentence) {
  if (!condition) throw new Error(sentence);
}

/** How a run ended, by its exit code and by its last frame. */
export function expectEnd(result, code, fields) {
  expectEqual('the exit code', result.code, code);
  expect(result.ended !== undefined, 'the log does not end with `ended`');
  for (const [name, value] of Object.entries(fields))
    expectEqual(`\`${name}\` of the last frame`, result.ended[name], value);
}

/** That a runner ended with one of its own codes before it ran anything. */
export function expectRefusal(result, code) {
  expectEqual('the exit code', result.code, code);
  expect(!result.kinds.includes('started'), 'the script was started');
}

function shown(value) {
  const text = typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'missing');
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
