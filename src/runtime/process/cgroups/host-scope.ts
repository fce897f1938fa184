import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Where the process runtime's workloads can be reached: this host, this boot, this PID namespace. The last is there for
 * servers in containers, which often share a machine id and always share the boot.
 */
export interface HostScope {
  readonly host: string;
  readonly boot: string;
  readonly pidNamespace: string;
}

export function hostScope(): HostScope {
  return {
    host: read('/etc/machine-id') ?? hostname(),
    boot: read('/proc/sys/kernel/random/boot_id') ?? 'unknown',
    pidNamespace: pidNamespace(),
  };
}

export function scopeText({ host, boot, pidNamespace }: HostScope): string {
  return `${host}/${boot}/${pidNamespace}`;
}

/** Whether the scope is an earlier boot of this host: whatever ran there has ended. */
export function isEarlierBoot(text: string, now: HostScope): boolean {
  const [host, boot] = text.split('/');
  return host === now.host && boot !== now.boot;
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
  } catch {
    return 'unknown';
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
