import { expect, expectEqual } from '../expect.mjs';

const SHOWS_USER = 'import os; print(os.getuid(), os.getgid(), os.path.expanduser("~"))';
const SHOWS_WRITABLE = `
import os
print([folder for folder in ("/", "/job", "/input", "/etc", "/usr", "/output", "/tmp", "/dev/shm") if os.access(folder, os.W_OK)])
`;
const LOOKS_AT_RUNNER = `
import os
def can_read(path):
    try:
        open("/proc/1/" + path).read(1)
        return True
    except OSError:
        return False
print(os.getppid(), [path for path in ("environ", "maps", "mem") if can_read(path)])
`;

/** What only a container has: its user, its file system, its processes. */
export const CONTAINER_CHECKS = [
  {
    title: 'it runs as any user, and declares one that is not root',
    mend: 'Set USER to a number other than 0 and HOME to /tmp, and let everybody read what the runner needs.',
    async body(bench) {
      const { user, declaredUser } = bench.runner;
      const name = declaredUser.split(':')[0];
      expect(
        /^[1-9]\d*$/.test(name),
        `USER of the image is “${declaredUser}”, and Kubernetes takes only a number other than 0`,
      );
      expectEqual(
        'uid, gid and home',
        (await bench.run(SHOWS_USER)).stdout,
        `${user.uid} ${user.gid} /tmp\n`,
      );
    },
  },
  {
    title: 'a root that is read-only is enough',
    mend: 'Write to /output, /spool, /tmp and /dev/shm alone.',
    async body(bench) {
      const { stdout } = await bench.run(SHOWS_WRITABLE);
      expectEqual('what can be written to', stdout, "['/output', '/tmp', '/dev/shm']\n");
    },
  },
  {
    title: 'the runner is the first process, and hides from the script',
    mend: 'Let CMD be the runner itself, without a shell before it; call prctl(PR_SET_DUMPABLE, 0).',
    async body(bench) {
      expectEqual(
        'the parent, and what can be read of it',
        (await bench.run(LOOKS_AT_RUNNER)).stdout,
        '1 []\n',
      );
    },
  },
];
