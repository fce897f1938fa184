/**
 * Takes `n` samples of each side in turn and changes which goes first, so that whatever else the machine does meets
 * both alike. The first rounds warm caches and are not counted.
 */
export async function alternate(n, subject, baseline, { warmUps = 3 } = {}) {
  const samples = { subject: [], baseline: [] };
  const take = async (side, measure, isCounted) => {
    const value = await measure();
    if (isCounted) samples[side].push(value);
  };
  for (let round = -warmUps; round < n; round++) {
    const sides = [
      ['subject', subject],
      ['baseline', baseline],
    ];
    if (round % 2 === 0) sides.reverse();
    for (const [side, measure] of sides) await take(side, measure, round >= 0);
  }
  return samples;
}
