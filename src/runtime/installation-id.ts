import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../common/ids.js';
import { writeOnce } from '../common/write-once.js';
import type { ServiceConfig } from '../config/parts/service-config.js';
import type { StorageConfig } from '../config/parts/storage-config.js';

/** The name that marks this installation's workloads: given, or made once and kept with the data. */
export async function installationId(
  { INSTALLATION_ID }: ServiceConfig,
  { dataDir }: StorageConfig,
): Promise<string> {
  if (INSTALLATION_ID) return INSTALLATION_ID;
  const path = join(dataDir, 'installation-id');
  await mkdir(dataDir, { recursive: true });
  return writeOnce(path, newId());
}
