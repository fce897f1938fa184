import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupFolders } from '../../tools/cgroups.mjs';
import { diskBytes } from './disk-use.mjs';
import { listContainers } from '../../tools/engine.mjs';
import { foldersIn, workspaceRoot } from './leftovers.mjs';

const PAGE = `query ($after: String) {
  jobs(first: 100, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } }
}`;

/** What must stay flat while jobs come and go, and how much each may still grow from third to third. */
export const MEASURES = {
  rssMb: { what: 'server memory', unit: 'MB', flatWithin: 8 },
  descriptors: { what: 'open descriptors of the server', unit: 'files', flatWithin: 8 },
  // SQLite keeps up to 4 MiB of free pages, and a log of writes.
  besideMb: { what: 'DATA_DIR without logs and outputs', unit: 'MB', flatWithin: 6 },
  unknownFolders: { what: 'folders of no stored job', unit: 'folders', flatWithin: 8 },
  workloads: { what: 'workloads', unit: 'workloads', flatWithin: 2 },
};

export async function takeSample(runtime, server, api) {
  const { dataDir } = server;
  const jobs = await countJobs(api);
  return {
    rssMb: server.memory().nowMb,
    descriptors: server.descriptors(),
    besideMb: (await besideBytes(dataDir)) / 1e6,
    storedJobs: jobs,
    // Waiting workers have one each.
    unknownFolders: Math.max(0, foldersIn(workspaceRoot(dataDir, 'logs')).length - jobs),
    workloads: await countWorkloads(runtime, server),
  };
}

/** As many as there are now, in whatever state. */
async function countJobs(api) {
  let count = 0;
  let after = null;
  for (;;) {
    const { jobs } = await api.ask(PAGE, { after });
    count += jobs.edges.length;
    if (!jobs.pageInfo.hasNextPage) return count;
    after = jobs.pageInfo.endCursor;
  }
}

/** The logs and outputs of stored jobs must be there: their folders are counted instead. */
async function besideBytes(dataDir) {
  const others = readdirSync(dataDir).filter((name) => name !== 'workspaces');
  const paths = [...others.map((name) => join(dataDir, name)), workspaceRoot(dataDir, 'inputs')];
  const bytes = await Promise.all(paths.map(diskBytes));
  return bytes.reduce((sum, each) => sum + each, 0);
}

/** Those that wait, run or have not been removed yet. */
export async function countWorkloads(runtime, { installation }) {
  if (runtime === 'docker')
    return (await listContainers(`io.maps-python.installation=${installation}`)).length;
  return new Set(cgroupFolders(installation).map((path) => path.split('/').at(-1))).size;
}
