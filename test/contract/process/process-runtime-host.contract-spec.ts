import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createProcessRuntime } from '../../../src/runtime/process/process.runtime.js';
import type { RuntimeProvider } from '../../../src/runtime/runtime-provider.js';
import { RuntimeBench } from '../../support/runtimes/runtime-bench.js';
import {
  ProcessBackdoor,
  gone,
  lookForProcess,
  testPython,
} from '../../support/runtimes/process/runtime-process.js';
import { describeTier } from '../../support/runtimes/runtime-tier.js';
import { SILENT_LOG } from '../../support/recorded-log.js';

const isolation = 'bubblewrap';
const backdoor = new ProcessBackdoor(`test-${randomUUID()}`, isolation);
const SECRET = `secret-${randomUUID()}`;

function create(dataDir: string, python = testPython(isolation)): Promise<RuntimeProvider> {
  backdoor.dataDir = dataDir;
  return createProcessRuntime({
    dataDir,
    isolation,
    installationId: backdoor.installationId,
    python,
    log: SILENT_LOG,
  });
}

/** Prints, as JSON, what of the host a script finds. */
const LOOKS_AROUND = `
import json, os, socket
def text(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20).decode("latin-1")
    except OSError as error:
        return type(error).__name__
def connects(address):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(address)
            return True
    except OSError:
        return False
def writable(folder):
    try:
        with open(folder + "/probe", "w"):
            return True
    except OSError:
        return False
found = {}
for folder in ("/", "/etc", "/root", "/home", "/var", "/run", "/opt", "/sys", "/usr/local"):
    try:
        found[folder] = sorted(os.listdir(folder))
    except OSError as error:
        found[folder] = type(error).__name__
processes = [int(name) for name in os.listdir("/proc") if name.isdigit()]
print(json.dumps({
    "folders": found,
    "processes": len(processes),
    "hostname": socket.gethostname(),
    "files": {path: text(path) for path in ("/etc/hostname", "/etc/shadow", "/etc/machine-id", "/proc/1/environ", "/proc/1/cmdline")},
    "passwd": text("/etc/passwd").splitlines(),
    "environment": dict(os.environ),
    "abstract": connects("\\0" + os.environ["ABSTRACT_SOCKET"]),
    "docker": connects("/var/run/docker.sock") or connects("/run/docker.sock"),
    "data": os.path.exists(os.environ["DATA_OF_SERVER"]),
    "writable": [folder for folder in ("/", "/etc", "/usr", "/usr/lib", "/usr/local", "/dev", "/job", "/input", "/runner", "/sys", "/proc/sys/kernel") if writable(folder)],
}))
`;

interface Findings {
  folders: Record<string, string[] | string>;
  processes: number;
  hostname: string;
  files: Record<string, string>;
  passwd: string[];
  environment: Record<string, string>;
  abstract: boolean;
  docker: boolean;
  data: boolean;
  writable: string[];
}

const { unavailable, used } = await lookForProcess(isolation);

function describeSandbox(): void {
  describe('a script in a process sandbox', () => {
    let bench: RuntimeBench;
    const abstractName = `maps-python-test-${randomUUID()}`;
    const listener = createServer((socket) => socket.end());

    beforeAll(async () => {
      process.env.SECRET_OF_SERVER = SECRET;
      bench = await RuntimeBench.open({ create, hooks: backdoor, image: 'none' });
      await new Promise<void>((resolve) => listener.listen(`\0${abstractName}`, resolve));
    });
    afterEach(() => bench.tidy());
    afterAll(async () => {
      delete process.env.SECRET_OF_SERVER;
      listener.close();
      expect(await bench.close()).toEqual([]);
    });

    async function lookAround(): Promise<Findings> {
      const env = { ABSTRACT_SOCKET: abstractName, DATA_OF_SERVER: bench.dataDir };
      const { spool } = await bench.run({ script: LOOKS_AROUND, env });
      expect(spool.stderr).toBe('');
      return JSON.parse(spool.stdout) as Findings;
    }

    it('sees nothing of the host but Python, and its own folders', async () => {
      const seen = await lookAround();
      expect(seen.processes).toBe(2);
      expect(seen.hostname).toMatch(/^runner-/);
      expect(seen.files).toMatchObject({
        '/etc/hostname': 'FileNotFoundError',
        '/etc/shadow': 'FileNotFoundError',
        '/etc/machine-id': 'FileNotFoundError',
        '/proc/1/environ': 'PermissionError',
      });
      expect(seen.folders['/']).toEqual(
        expect.arrayContaining(['input', 'job', 'output', 'runner', 'spool', 'tmp', 'usr']),
      );
      for (const folder of ['/home', '/var', '/run', '/opt'])
        expect(seen.folders[folder]).toBe('FileNotFoundError');
      expect(seen.passwd.map((line) => line.split(':')[0])).toEqual(['root', 'runner']);
      expect(seen.data).toBe(false);
    });

    it('gets nothing of the environment of the server', async () => {
      expect(JSON.stringify(await lookAround())).not.toContain(SECRET);
    });

    it('reaches no unix socket of the host, neither in a file nor in the abstract name space', async () => {
      expect(await lookAround()).toMatchObject({ abstract: false, docker: false });
    });

    it('can write nowhere but to its output and its temporary folders', async () => {
      expect((await lookAround()).writable).toEqual([]);
    });

    it('is refused the system calls that lead to new privileges', async () => {
      const script = `
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
def error_of(number, *arguments):
    ctypes.set_errno(0)
    return 0 if libc.syscall(number, *arguments) >= 0 else ctypes.get_errno()
calls = {"x86_64": (272, 56, 250, 425, 435, 165), "aarch64": (97, 220, 219, 425, 435, 40)}
unshare, clone, keyctl, io_uring, clone3, mount = calls[os.uname().machine]
print(error_of(unshare, 0x10000000), error_of(clone, 0x10000000 | 17, 0, 0, 0, 0), error_of(keyctl, 0, -3, 0))
print(error_of(io_uring, 1, 0), error_of(clone3, 0, 0), error_of(mount, 0, 0, 0, 0, 0))
try:
    socket.socket(40, socket.SOCK_STREAM)
except OSError as error:
    print(error.errno)
`;
      const { spool } = await bench.run({ script });
      expect(spool.stderr).toBe('');
      expect(spool.stdout).toBe('1 1 1\n38 38 1\n97\n');
    });

    it('finds an empty shared memory folder of bounded size', async () => {
      const script = `
import os
print(os.listdir("/dev/shm"))
try:
    with open("/dev/shm/large", "wb") as file:
        for _ in range(128):
            file.write(bytes(1 << 20))
    print("no end")
except OSError as error:
    print(error.strerror)
`;
      const { spool } = await bench.run({ script });
      expect(spool.stdout).toBe('[]\nNo space left on device\n');
    });

    it('says why it could not start: before it was made, or after', async () => {
      const unfit = await bench.prepare({ script: 'print("x")\n' });
      const spec = { ...unfit.spec, workspace: { ...unfit.spec.workspace, inputDir: '/nowhere' } };
      await expect(bench.provider.start(spec)).rejects.toMatchObject({
        failure: { kind: 'refused', message: expect.stringContaining('/nowhere'), retryable: false },
      });
      expect(await bench.provider.list()).toEqual([]);

      const { exit, spool } = await bench.run({ script: 'print("x")\n', limits: { tmpBytes: 0 } });
      expect(exit).toMatchObject({
        kind: 'startFailed',
        failure: { kind: 'failed', message: expect.stringContaining('bwrap') },
      });
      expect(spool.started).toBe(false);
    });

    it('is ended although its supervisor is gone and nothing tells who it is', async () => {
      const workload = await bench.start({
        script: 'import time\nprint("on", flush=True)\ntime.sleep(600)\n',
      });
      await workload.printed('on');
      const pids = backdoor.processesOf(workload.spec);
      const { supervisor, sandbox } = backdoor.folders.read(workload.spec.name)!;
      // As on a disk that was full when bwrap wanted to write it, after which bwrap ends and its child does not.
      await truncate(join(backdoor.folders.path(workload.spec.name), 'status'));
      for (const pid of [supervisor!.pid, parentOf(sandbox.childPid!)]) process.kill(pid, 'SIGKILL');
      await gone([supervisor!.pid]);
      await bench.provider.stop(workload.handle, 0);
      await gone(pids);
      expect(await workload.exit()).toMatchObject({ kind: 'lost' });
    });

    it('runs with a data folder that nobody but the server may enter', async () => {
      const closed = await mkdtemp(join(tmpdir(), 'closed-'));
      const { installationId } = backdoor;
      const other = await RuntimeBench.open({ create, hooks: { leftovers: async () => [] }, image: 'none' });
      try {
        const dataDir = join(closed, 'data');
        await mkdir(dataDir);
        await chmod(closed, 0o700);
        const python = testPython(isolation);
        const provider = await createProcessRuntime({
          dataDir,
          isolation,
          installationId,
          python,
          log: SILENT_LOG,
        });
        const workload = await other.prepare({ script: 'open("made", "w").write("here")\n' });
        await chmod(other.dataDir, 0o700);
        await workload.start(provider);
        expect(await workload.exit(provider)).toEqual({ kind: 'exited', exitCode: 0, oomKilled: false });
        expect(await readFile(join(workload.spec.workspace.outputDir, 'made'), 'utf8')).toBe('here');
        await provider.remove(workload.handle);
        workload.handle = '';
        await provider.close();
      } finally {
        await other.close();
        backdoor.dataDir = bench.dataDir;
        await rm(closed, { recursive: true });
      }
    });
  });
}

describeTier('process', unavailable, describeSandbox, used);

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
