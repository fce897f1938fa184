import { styleText } from 'node:util';
import type { JobState } from '../client/schema-types.js';

/** Names and messages may hold what a hostile script chose: nothing in them may steer a terminal or break a line. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

export function formatBytes(bytes: number): string {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 60) return `${minutes} min ${Math.floor((ms % 60_000) / 1_000)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const COLOURS: Partial<Record<JobState, 'green' | 'red' | 'yellow' | 'cyan'>> = {
  SUCCEEDED: 'green',
  FAILED: 'red',
  TIMED_OUT: 'red',
  LOST: 'red',
  CANCELLED: 'yellow',
  RUNNING: 'cyan',
  STARTING: 'cyan',
};

export function paintState(state: JobState, text: string, hasColour: boolean): string {
  const colour = hasColour ? COLOURS[state] : undefined;
  return colour ? styleText(colour, text, { validateStream: false }) : text;
}

/** Columns as wide as their widest cell, two spaces apart; the last one as long as it is. */
export function toTable(
  rows: readonly string[][],
  paint: (cell: string, at: number) => string = String,
): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, at) => paint(at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0), at))
      .join('  ')
      .trimEnd(),
  );
  return lines.map((line) => `${line}\n`).join('');
}
