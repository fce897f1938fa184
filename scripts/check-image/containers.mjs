import { randomUUID } from 'node:crypto';
import { atEnd } from '../../tools/cleanup.mjs';
import { must, run } from '../deployment/commands.mjs';

/** What the server gives every container; see "docker" in docs/runtimes.md. */
const LOCKED_DOWN = [
  ...['--network', 'none', '--ipc', 'private', '--read-only', '--init=false', '--no-healthcheck'],
  ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
  ...['--memory', '1g', '--memory-swap', '1g', '--pids-limit', '256'],
  ...['--ulimit', 'core=0', '--ulimit', 'nofile=1024:4096'],
  ...['--tmpfs', '/tmp:rw,exec,nosuid,nodev,mode=1777,size=256m'],
];
const END_MS = 120_000;

/** Runners in containers of one image, by the `docker` command. */
export class Containers {
  constructor({ docker, image, user, folders, declaredUser }) {
    this.docker = docker;
    this.image = image;
    this.user = user;
    /** Where a container has its folders. */
    this.targets = folders;
    /** Who the image itself says its containers run as. */
    this.declaredUser = declaredUser;
  }

  async start({ folders, variables, input }) {
    const name = `maps-check-image-${randomUUID()}`;
    const { uid, gid } = this.user;
    const remove = atEnd(() => run(this.docker, ['rm', '--force', name]));
    await must(this.docker, [
      ...['create', '--name', name, '--user', `${uid}:${gid}`, ...LOCKED_DOWN],
      ...(input === undefined ? [] : ['--interactive']),
      ...Object.entries(this.targets).flatMap(([folder, target]) => mount(folders[folder], target, folder)),
      ...Object.entries(variables).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      this.image,
    ]);
    const attach = ['start', '--attach', ...(input === undefined ? [] : ['--interactive']), name];
    const ended = run(this.docker, attach, { input, timeoutMs: END_MS }).then(async ({ stdout, stderr }) => {
      const state = ['inspect', '--format', '{{.State.ExitCode}}', name];
      return { code: Number(await must(this.docker, state)), printed: stdout, complaint: stderr };
    });
    ended.catch(() => undefined);
    return {
      ended,
      signal: (signal) => must(this.docker, ['kill', '--signal', signal, name]),
      remove,
    };
  }
}

function mount(source, target, folder) {
  const isReadOnly = folder === 'job' || folder === 'input';
  return ['--mount', `type=bind,source=${source},target=${target}${isReadOnly ? ',readonly' : ''}`];
}
