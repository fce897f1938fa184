import type { Context } from '../context.js';
import { LogPrinter } from '../print-log.js';

export interface LogsOptions {
  follow?: boolean;
  after?: string;
  json?: boolean;
}

/** Chunks have up to 64 KiB: a page stays small enough to hold. */
const PAGE_CHUNKS = 100;

/** `maps logs`: what is there, and with `follow` what comes, until the job has ended. */
export async function logs(jobId: string, options: LogsOptions, context: Context): Promise<number> {
  const printer = new LogPrinter(context.terminal, options.json ?? false);
  if (options.follow) {
    for await (const event of context.follow({ jobId, after: options.after })) {
      await printer.print(event);
      if (event.job && options.json) await context.terminal.json({ job: event.job });
    }
    return 0;
  }
  let after = options.after;
  for (;;) {
    const page = await context.api.logs(jobId, after, PAGE_CHUNKS);
    await printer.print(page);
    if (!page.hasMore) return 0;
    after = page.endCursor;
  }
}
