import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../common/app-error.js';
import { newId } from '../common/ids.js';
import type { AppConfig } from '../config/app-config.js';

/** The name that marks this installation's workloads: given, or made once and kept with the data. */
export async function installationId(config: AppConfig): Promise<string> {
  if (config.INSTALLATION_ID) return config.INSTALLATION_ID;
  const path = join(config.dataDir, 'installation-id');
  await mkdir(config.dataDir, { recursive: true });
  try {
    await writeFile(path, newId(), { flag: 'wx' });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  return (await readFile(path, 'utf8')).trim();
}
