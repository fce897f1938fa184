import type { Job } from '../../client/api-types.js';
import type { JobFilter, JobState } from '../../client/schema-types.js';
import type { Context } from '../context.js';
import { formatDuration, paintState, printable, toTable } from '../format.js';
import type { Pair } from '../values.js';

export interface ListOptions {
  state?: JobState[];
  label?: Pair[];
  limit: number;
  json?: boolean;
}

const HEADER = ['ID', 'STATE', 'CREATED', 'TIME', 'NAME'];
const STATE_COLUMN = 1;

/** `maps list`: newest first. */
export async function list(options: ListOptions, { api, terminal }: Context): Promise<number> {
  const filter: JobFilter = { states: options.state, labels: options.label };
  const jobs = await api.list(filter, options.limit);
  if (options.json) await terminal.json(jobs);
  else if (jobs.length > 0) {
    const paint = (cell: string, at: number): string =>
      at === STATE_COLUMN ? paintState(cell.trim() as JobState, cell, terminal.hasColour) : cell;
    await terminal.data(toTable([HEADER, ...jobs.map(toRow)], paint));
  } else if (terminal.isWatched) terminal.note('There is no such job.');
  return 0;
}

function toRow(job: Job): string[] {
  const created = job.createdAt.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
  return [job.id, job.state, created, timeOf(job), printable(job.name ?? '')];
}

function timeOf(job: Job): string {
  if (job.startedAt === null) return '-';
  const end = job.finishedAt === null ? Date.now() : Date.parse(job.finishedAt);
  return formatDuration(Math.max(0, end - Date.parse(job.startedAt)));
}
