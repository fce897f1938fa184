import type { Job, OutputFile } from '../../client/api-types.js';
import type { Context } from '../context.js';
import { formatBytes, formatDuration, paintState, printable, toTable } from '../format.js';

/** `maps get`: one job, for people or as JSON. */
export async function get(id: string, options: { json?: boolean }, context: Context): Promise<number> {
  const { api, terminal } = context;
  const [job, outputs] = await Promise.all([api.get(id), api.outputs(id)]);
  if (options.json) {
    await terminal.json({ ...job, outputs: outputs.files, skippedOutputs: outputs.skipped });
    return 0;
  }
  const rows = toRows(job).filter((row): row is [string, string] => row[1] !== undefined);
  const paint = (cell: string, at: number): string =>
    at === 1 && cell === job.state ? paintState(job.state, cell, terminal.hasColour) : cell;
  await terminal.data(toTable(rows, paint));
  await terminal.data(toFileList(outputs.files));
  return 0;
}

function toRows(job: Job): [string, string | undefined][] {
  const { timings, usage, limits } = job;
  const labels = job.labels.map(({ name, value }) => `${name}=${value}`).join(', ');
  return [
    ['id', job.id],
    ['name', job.name === null ? undefined : printable(job.name)],
    ['labels', labels === '' ? undefined : printable(labels)],
    ['state', job.state],
    ['reason', job.reason ?? undefined],
    ['message', job.message === null ? undefined : printable(job.message)],
    ['hint', job.hint === null ? undefined : printable(job.hint)],
    ['exit code', job.exitCode?.toString()],
    ['signal', job.signal ?? undefined],
    ['environment', job.environment],
    ['attempt', job.attempt > 1 ? String(job.attempt) : undefined],
    ['created', job.createdAt],
    ['waited', orNothing(timings.queuedMs, formatDuration)],
    ['start', orNothing(timings.startMs, formatDuration)],
    ['ran', orNothing(timings.runMs, formatDuration)],
    ['cpu', orNothing(usage.cpuMs, formatDuration)],
    ['memory', orNothing(usage.peakMemoryBytes, formatBytes)],
    [
      'limits',
      `${limits.timeoutSeconds} s, ${limits.memoryMb} MiB, ${limits.cpus} CPU, network ${limits.network.toLowerCase()}`,
    ],
  ];
}

function orNothing(value: number | null, format: (value: number) => string): string | undefined {
  return value === null ? undefined : format(value);
}

function toFileList(files: OutputFile[]): string {
  if (files.length === 0) return '';
  const table = toTable(files.map((file) => [printable(file.path), formatBytes(file.size)]));
  return `outputs\n${table.replace(/^/gm, '  ').trimEnd()}\n`;
}
