import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { lookForProcess } from '../support/runtimes/process/runtime-process.js';

const ANSWER_MS = 15_000;
/** What jobs run in on Docker: without it a page's commands would have to fetch and build for minutes. */
const IMAGE = 'py-exec:latest';

const known = new Map<string, string | undefined>();

/** Why a block with these needs cannot run on this machine, or undefined when it can. */
export async function whyNot(needs: readonly string[]): Promise<string | undefined> {
  for (const need of needs) {
    if (!known.has(need)) known.set(need, await look(need));
    const why = known.get(need);
    if (why !== undefined) return why;
  }
  return undefined;
}

async function look(need: string): Promise<string | undefined> {
  if (need === 'sandbox') return (await lookForProcess('bubblewrap')).unavailable;
  if (need === 'docker') {
    if (!answers('docker', 'info')) return 'no Docker engine answers';
    return answers('docker', 'image', 'inspect', IMAGE) ? undefined : `the image ${IMAGE} is not here`;
  }
  if (need === 'cluster')
    return answers('kubectl', 'get', 'nodes', '--request-timeout=5s') ? undefined : 'no cluster answers';
  return isOnPath(need) ? undefined : `${need} is not here`;
}

function answers(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: ANSWER_MS }).status === 0;
}

function isOnPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
