/** The uid and gid that the runner image declares; what a server running as root hands its workspaces to. */
const IMAGE_UID = 10001;

export interface RunnerUser {
  uid: number;
  gid: number;
}

/**
 * Who workloads run as. A server that is not root cannot give files away, so its workloads run as itself and both
 * sides can read what the other wrote; a server that is root never runs a script as root.
 */
export function runnerUser(): RunnerUser {
  const uid = process.getuid?.() ?? IMAGE_UID;
  const gid = process.getgid?.() ?? IMAGE_UID;
  return uid === 0 ? { uid: IMAGE_UID, gid: IMAGE_UID } : { uid, gid };
}

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}
