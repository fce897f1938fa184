import { round } from '../../tools/stats.mjs';

/** What is flat may still grow by this share of itself: medians of a dozen samples are not more certain. */
const FLAT_RATIO = 1.05;

/** Whether a figure keeps what was promised; undefined where nothing was. */
export function isKept({ promise, ratio, subject, baseline }) {
  if (!promise) return undefined;
  const { ratioAtMost, ratioAtLeast, atMost, flatWithin } = promise;
  if (flatWithin !== undefined) return subject.p50 <= baseline.p50 * FLAT_RATIO + flatWithin;
  if (ratioAtMost !== undefined) return ratio <= ratioAtMost;
  if (ratioAtLeast !== undefined) return ratio >= ratioAtLeast;
  return subject.p50 <= atMost;
}

/** Rows for people, as a Markdown table. */
export function toTable(figures) {
  return toMarkdown([
    ['figure', 'promise', 'baseline p50 (p95)', 'subject p50 (p95)', 'ratio', 'n', 'kept'],
    ...figures.map((figure) => [
      figure.what,
      promiseText(figure),
      valueText(figure.baseline, figure.unit),
      valueText(figure.subject, figure.unit),
      figure.ratio === undefined ? '–' : `${round(figure.ratio)}×`,
      String(figure.subject.n),
      { true: 'yes', false: '**no**', undefined: '–' }[isKept(figure)],
    ]),
  ]);
}

/** Rows of cells, the first of them the heading. */
export function toMarkdown(rows) {
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

function promiseText({ promise, unit }) {
  if (!promise) return '–';
  const { ratioAtMost, ratioAtLeast, atMost, flatWithin } = promise;
  if (flatWithin !== undefined) return `flat (≤ ${FLAT_RATIO}× + ${flatWithin} ${unit})`;
  if (ratioAtMost !== undefined) return `≤ ${ratioAtMost.toFixed(2)}×`;
  if (ratioAtLeast !== undefined) return `≥ ${ratioAtLeast}×`;
  return `≤ ${atMost} ${unit}`;
}

function valueText(summary, unit) {
  if (!summary) return '–';
  const p95 = summary.p95 === undefined ? '' : ` (${grouped(summary.p95)})`;
  return `${grouped(summary.p50)}${p95} ${unit}`;
}

function grouped(value) {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 });
}
