import type { Context } from '../context.js';
import { downloadOutputs } from '../download-outputs.js';

/** `maps cancel`: prints the state that the job has now; a live one ends a little later. */
export async function cancel(ids: string[], context: Context): Promise<number> {
  for (const id of ids) {
    const job = await context.api.cancel(id);
    await context.terminal.data(`${job.id} ${job.state}\n`);
  }
  return 0;
}

/** `maps delete`: prints what is not there any more. */
export async function remove(ids: string[], context: Context): Promise<number> {
  for (const id of ids) {
    await context.api.delete(id);
    await context.terminal.data(`${id}\n`);
  }
  return 0;
}

/** `maps download`: prints the paths written. By default into a folder of the job's own, where nothing is in the way. */
export async function download(id: string, folder: string | undefined, context: Context): Promise<number> {
  // So that an unknown job is said to be unknown before a folder is made for it.
  await context.api.get(id);
  for (const path of await downloadOutputs(context, id, folder ?? id))
    await context.terminal.data(`${path}\n`);
  return 0;
}
