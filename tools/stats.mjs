/** What a list of samples says: medians carry the comparison, the rest shows how far to trust it. */
export function summarize(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return {
    n: sorted.length,
    min: round(sorted[0]),
    p50: round(median),
    p95: round(quantile(sorted, 0.95)),
    max: round(sorted.at(-1)),
    // Half of the samples lie this close together, as a share of the median.
    spread: round((quantile(sorted, 0.75) - quantile(sorted, 0.25)) / median),
  };
}

/** The value below which this share of the sorted samples lies, interpolated. */
export function quantile(sorted, share) {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)];
  return below + (sorted[Math.ceil(at)] - below) * (at - Math.floor(at));
}

export function round(value, digits = 3) {
  return Number(value.toPrecision(Math.max(digits, Math.ceil(Math.log10(Math.abs(value) + 1)))));
}
