import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../../../common/app-error.js';

/** A process that cannot be mistaken for a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of `/proc/<pid>/stat`: clock ticks since boot. */
  readonly startTime: string;
}

export interface ProcessStat extends ProcessIdentity {
  readonly state: string;
  readonly parentPid: number;
}

/** Reads a line of `/proc/<pid>/stat`; the name in it may hold spaces and brackets, so it is cut at the last one. */
export function parseStat(line: string): ProcessStat | undefined {
  const nameEnd = line.lastIndexOf(')');
  const fields = line.slice(nameEnd + 2).split(' ');
  const [state, parentPid] = fields;
  const startTime = fields[19];
  const pid = Number.parseInt(line, 10);
  if (nameEnd < 0 || !pid || !state || !startTime) return undefined;
  return { pid, state, parentPid: Number(parentPid), startTime };
}

/** /proc is memory, so it is read synchronously: a look costs some 10 µs. */
export function readStat(pid: number): ProcessStat | undefined {
  const line = readOrNothing(`/proc/${pid}/stat`);
  return line === undefined ? undefined : parseStat(line);
}

/** Whether the process still runs. One that has ended and was not yet reaped by its parent does not. */
export function isAlive(process: ProcessIdentity): boolean {
  const stat = readStat(process.pid);
  return stat?.startTime === process.startTime && stat.state !== 'Z' && stat.state !== 'X';
}

/** Whether the process runs, in the PID namespace with this inode. */
export function isInPidNamespace(pid: number, inode: number): boolean {
  if (readStat(pid)?.state === 'Z') return false;
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`) === `pid:[${inode}]`;
  } catch (error) {
    ignoreGone(error);
    return false;
  }
}

/** Whether the process catches, or holds back to read, the signal; until it does, SIGTERM is lost on a PID 1. */
export function awaitsSignal(pid: number, signal: number): boolean {
  const status = readOrNothing(`/proc/${pid}/status`) ?? '';
  const masks = [...status.matchAll(/^Sig(?:Cgt|Blk):\s*([0-9a-f]+)$/gm)];
  return masks.some(([, mask]) => (BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n);
}

export function childrenOf(pid: number): number[] {
  return allPids().filter((each) => readStat(each)?.parentPid === pid);
}

/**
 * The processes that were started with one of these texts as an argument, or as a `NAME=value` entry of their
 * environment. Both, because a process that hides its environment, as the runner does, still shows its arguments.
 */
export function startedWith(texts: readonly string[]): number[] {
  return allPids().filter((pid) => {
    if (pid === process.pid) return false;
    const given = ['cmdline', 'environ'].map((file) => readOrNothing(`/proc/${pid}/${file}`) ?? '');
    return given.some((list) => list.split('\0').some((text) => texts.includes(text)));
  });
}

/** Sends a signal; a process that is gone is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended on its own, or its pid is another user's by now.
  }
}

function allPids(): number[] {
  return readdirSync('/proc').map(Number).filter(Boolean);
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    return ignoreGone(error);
  }
}

/** The process has ended, or it is another user's. Anything else must not be taken for a process that is not there. */
function ignoreGone(error: unknown): undefined {
  if (!['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) throw error;
}
