import { expect } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fixture } from '../../../support/runtimes/runtime-bench.js';
import { runtimeCases } from './runtime-case.js';

/** All that docs/runner-contract.md lets a script see, besides its own `env`. */
const DOCUMENTED_VARIABLES = [
  'HOME',
  'INPUT_DIR',
  'JOB_ID',
  'LANG',
  'MPLCONFIGDIR',
  'OUTPUT_DIR',
  'PATH',
  'PYTHONUNBUFFERED',
  'REQUEST_PATH',
];
/** Declared for scripts by the images (RUNNER_PASS_ENV). */
const IMAGE_VARIABLES = ['MPLBACKEND', 'PYTHONUTF8'];
const SECRET = 'the-servers-own-secret';

const LEAVES_TRACES = `
import socket, time
for folder in ("/tmp", "/dev/shm"):
    with open(folder + "/trace-of-another", "w") as file:
        file.write("here")
listener = socket.create_server(("127.0.0.1", 47114))
print("ready", flush=True)
time.sleep(300)
`;
const LOOKS_FOR_FILES = `
import os
print([folder for folder in ("/tmp", "/dev/shm") if os.path.exists(folder + "/trace-of-another")])
`;
const LOOKS_FOR_LISTENER = `
import socket
try:
    socket.create_connection(("127.0.0.1", 47114), timeout=2)
    print("connected")
except OSError:
    print("nobody there")
`;
const COUNTS_PROCESSES = `
import os
print(sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()))
`;
const SHOWS_PRIVILEGES = `
import json, os
with open("/proc/self/status") as file:
    status = dict(line.rstrip("\\n").split(":\\t", 1) for line in file if ":\\t" in line)
print(json.dumps({"uids": status["Uid"].split(), "gids": status["Gid"].split(), "groups": os.getgroups(),
                  "effective": int(status["CapEff"], 16), "bounding": int(status["CapBnd"], 16),
                  "noNewPrivileges": status["NoNewPrivs"]}))
`;
const LOOKS_FOR_SERVER = `
import os
print([path for path in (os.environ["DATA_OF_SERVER"], "/var/run/docker.sock") if os.path.exists(path)])
`;

/** What a script can see and touch of what is not its own. */
export const ISOLATION_CASES = runtimeCases([
  {
    id: 'environment',
    title: 'a script sees the documented variables and its own, and nothing of the server',
    needs: ['python'],
    run: async (bench) => {
      process.env.SECRET_OF_SERVER = SECRET;
      try {
        const script = await fixture('reads-environment');
        const { spool, workload } = await bench.run({ script, env: { GREETING: 'hello' } });
        expect(spool.stderr).toBe('');
        expect(spool.stdout).not.toContain(SECRET);
        const { environ } = JSON.parse(spool.stdout) as { environ: Record<string, string> };
        const names = Object.keys(environ).filter((name) => !IMAGE_VARIABLES.includes(name));
        expect(names).toEqual([...DOCUMENTED_VARIABLES, 'GREETING'].sort());
        expect(environ).toMatchObject({ GREETING: 'hello', JOB_ID: workload.jobId, LANG: 'C.UTF-8' });
      } finally {
        delete process.env.SECRET_OF_SERVER;
      }
    },
  },
  {
    id: 'runner-unreadable',
    title: "a script reads neither its runner's environment nor its descriptors",
    needs: ['python', 'processIsolation'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('reads-environment') });
      expect(JSON.parse(spool.stdout)).toMatchObject({
        pid1Environ: 'PermissionError',
        pid1Descriptors: 'PermissionError',
        parentEnviron: 'PermissionError',
        parentDescriptors: 'PermissionError',
      });
    },
  },
  {
    id: 'kills-everything',
    title: 'a script that kills all it can kills nobody but itself at most',
    needs: ['python', 'processIsolation'],
    run: async (bench) => {
      const { exit, spool } = await bench.run({ script: await fixture('kills-everything') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(spool.stdout).toBe('still here\n');
      expect(spool.ended).toMatchObject({ exitCode: 0, stopped: false });
    },
  },
  {
    id: 'writes-outside',
    title: 'a script can write to its output and its temporary folder only',
    needs: ['python', 'filesystemIsolation'],
    run: async (bench) => {
      const { exit, spool, workload } = await bench.run({ script: await fixture('writes-outside') });
      expect(exit).toMatchObject({ kind: 'exited', exitCode: 0 });
      expect(JSON.parse(spool.stdout)).toEqual([]);
      const request = await readFile(join(workload.spec.workspace.inputDir, 'request.json'), 'utf8');
      expect(request).toBe('null');
    },
  },
  {
    id: 'server-files',
    title: "a script sees none of the server's files",
    needs: ['python', 'filesystemIsolation'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: LOOKS_FOR_SERVER, env: { DATA_OF_SERVER: bench.dataDir } });
      expect(spool.stdout).toBe('[]\n');
    },
  },
  {
    id: 'privileges',
    title: 'a script is not root, has no capability, and can gain none',
    needs: ['python', 'processIsolation'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: SHOWS_PRIVILEGES });
      const seen = JSON.parse(spool.stdout) as { uids: string[]; gids: string[]; groups: number[] };
      expect([...seen.uids, ...seen.gids]).not.toContain('0');
      expect(seen.groups).not.toContain(0);
      expect(seen).toMatchObject({ effective: 0, noNewPrivileges: '1' });
    },
  },
  {
    id: 'no-network',
    title: 'a script without network reaches nothing but its own loopback',
    needs: ['python', 'networkIsolation'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('no-network') });
      const nothing = { connected: false, sent: false, resolved: false, interfaces: ['lo'] };
      expect(JSON.parse(spool.stdout)).toEqual(nothing);
    },
  },
  {
    id: 'internet',
    title: 'a script with network INTERNET has an interface besides loopback',
    needs: ['python'],
    run: async (bench) => {
      const { spool } = await bench.run({ script: await fixture('no-network'), network: 'INTERNET' });
      const { interfaces } = JSON.parse(spool.stdout) as { interfaces: string[] };
      expect(interfaces.filter((name) => name !== 'lo')).not.toEqual([]);
    },
  },
  {
    id: 'apart-files',
    title: 'two workloads do not see the temporary files of each other',
    needs: ['python', 'filesystemIsolation'],
    run: async (bench) => {
      const first = await bench.start({ script: LEAVES_TRACES });
      await first.printed('ready');
      const { spool } = await bench.run({ script: LOOKS_FOR_FILES });
      expect(spool.stdout).toBe('[]\n');
    },
  },
  {
    id: 'apart-network',
    title: 'two workloads do not reach the ports of each other',
    needs: ['python', 'networkIsolation'],
    run: async (bench) => {
      const first = await bench.start({ script: LEAVES_TRACES });
      await first.printed('ready');
      const { spool } = await bench.run({ script: LOOKS_FOR_LISTENER });
      expect(spool.stdout).toBe('nobody there\n');
    },
  },
  {
    id: 'apart-processes',
    title: 'a script sees no process but its runner and its own',
    needs: ['python', 'processIsolation'],
    run: async (bench) => {
      const first = await bench.start({ script: LEAVES_TRACES });
      await first.printed('ready');
      const { spool } = await bench.run({ script: COUNTS_PROCESSES });
      expect(spool.stdout).toBe('[1]\n');
    },
  },
]);
