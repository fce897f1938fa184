import { isAbsolute, join, relative } from 'node:path';

/**
 * Where a path of this server is on the engine's host. They differ when the server runs in a container: the engine
 * mounts its host's folders, not the server's.
 */
export function toHostPath(path: string, dataDir: string, hostDataDir: string | undefined): string {
  if (hostDataDir === undefined) return path;
  const below = relative(dataDir, path);
  if (below === '..' || below.startsWith('../') || isAbsolute(below)) {
    throw new Error(
      'WORKSPACE_DIR lies outside DATA_DIR, so DOCKER_HOST_DATA_DIR does not say where it is on the host.',
    );
  }
  return join(hostDataDir, below);
}
