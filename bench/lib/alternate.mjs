/**
 * Takes `n` samples of each side in turn and changes which goes first, so that whatever else the machine does meets
 * all alike. The first rounds warm caches and are not counted.
 */
export async function takeTurns(n, sides, { warmUps = 3 } = {}) {
  const entries = Object.entries(sides);
  const samples = Object.fromEntries(entries.map(([side]) => [side, []]));
  for (let round = -warmUps; round < n; round++) {
    const first = (round + warmUps) % entries.length;
    for (const [side, measure] of [...entries.slice(first), ...entries.slice(0, first)]) {
      const value = await measure();
      if (round >= 0) samples[side].push(value);
    }
  }
  return samples;
}

/** The same for a subject and its baseline. */
export function alternate(n, subject, baseline, options) {
  return takeTurns(n, { subject, baseline }, options);
}
