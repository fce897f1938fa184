import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '../common/ids.js';
import { writeOnce } from '../common/write-once.js';
import type { AppConfig } from '../config/app-config.js';

/** The name that marks this installation's workloads: given, or made once and kept with the data. */
export async function installationId(config: AppConfig): Promise<string> {
  if (config.INSTALLATION_ID) return config.INSTALLATION_ID;
  const path = join(config.dataDir, 'installation-id');
  await mkdir(config.dataDir, { recursive: true });
  return writeOnce(path, newId());
}
