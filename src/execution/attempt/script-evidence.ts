import { Injectable } from '@nestjs/common';
import type { ClaimedJob } from '../../jobs/record/job.js';
import { SpoolEnds } from '../../logs/spool-ends.js';
import type { EndedFrame } from '../../runner/ended.js';
import type { FrameKey } from '../../runner/signature.js';
import { WorkspaceSpools } from '../../workspace/workspace-spools.js';

/** What an attempt's folders say about its script. */
export interface ScriptTraces {
  /** Whether it ran or may have run. False is proof that it did not. */
  readonly started: boolean;
  /** Milliseconds since 1970; undefined where the log does not tell. */
  readonly startedAtMs: number | undefined;
  readonly ended: EndedFrame | undefined;
  readonly logBytes: number;
  /**
   * `signed`: the runner told the above, and the script could not. `unsigned`: the image's runner signs nothing.
   * `noKey`: it was given no key.
   */
  readonly trust: 'signed' | 'unsigned' | 'noKey';
}

/** Of a script whose runner signed how it ended. */
export type SignedTraces = ScriptTraces & { readonly ended: EndedFrame };

/** Reads what a runner has left for the server, and what a script may have left in its place. */
@Injectable()
export class ScriptEvidence {
  constructor(
    private readonly ends: SpoolEnds,
    private readonly spools: WorkspaceSpools,
  ) {}

  /** Resolves with the time of the script's start; undefined when the log does not tell it, or `signal` aborts before. */
  waitForStart(claim: ClaimedJob, signal: AbortSignal): Promise<number | undefined> {
    return this.ends.waitForStart(claim.attempt.workspace, signal, frameKeyOf(claim));
  }

  /** Resolves with what the runner signed about the script's end; undefined when it signs nothing, or `signal` aborts before. */
  async waitForEnd(claim: ClaimedJob, signal: AbortSignal): Promise<SignedTraces | undefined> {
    const key = frameKeyOf(claim);
    const spool = key && (await this.ends.waitForEnd(claim.attempt.workspace, key, signal));
    if (!spool) return undefined;
    const { startedAtMs, ended, sizeBytes: logBytes } = spool;
    return { started: true, startedAtMs, ended, logBytes, trust: 'signed' };
  }

  /** As `preventStart`, of a workspace that may still be made, and whose order was withdrawn. */
  async isStartPrevented(claim: ClaimedJob): Promise<boolean> {
    if (await this.preventStart(claim)) return true;
    const key = frameKeyOf(claim);
    return key !== undefined && (await this.spools.keyState(claim.attempt.workspace, key)) === 'notMade';
  }

  /** Takes the key from a runner that has not let its script go. True when it never will. */
  async preventStart(claim: ClaimedJob): Promise<boolean> {
    const key = frameKeyOf(claim);
    if (!key || !(await this.spools.withdrawKey(claim.attempt.workspace, key))) return false;
    // A runner that signs nothing takes no key.
    return (await this.ends.read(claim.attempt.workspace)).isEmpty;
  }

  /** Whether a script was let go that leaves its log empty. */
  async hasHiddenStart(claim: ClaimedJob): Promise<boolean> {
    const key = frameKeyOf(claim);
    return key !== undefined && (await this.spools.keyState(claim.attempt.workspace, key)) === 'taken';
  }

  async gather(claim: ClaimedJob): Promise<ScriptTraces> {
    const { workspace, startedAtMs } = claim.attempt;
    const key = frameKeyOf(claim);
    // Before the key: a script that begins meanwhile has begun by either.
    const { isEmpty, sizeBytes: logBytes, ...told } = await this.ends.read(workspace, key);
    const wasSeen = startedAtMs !== null || !isEmpty;
    if (!key) return { ...told, logBytes, started: wasSeen, trust: 'noKey' };
    const state = await this.spools.keyState(workspace, key);
    if (state === 'lies' && wasSeen && told.startedAtMs === undefined) {
      const { ended, startedAtMs: unsignedStart } = await this.ends.read(workspace);
      return { ended, startedAtMs: unsignedStart, logBytes, started: true, trust: 'unsigned' };
    }
    return { ...told, logBytes, started: wasSeen || state === 'taken', trust: 'signed' };
  }
}

/** What the words of an attempt's runner are held to; undefined where it was given no key. */
export function frameKeyOf({ attempt, key }: ClaimedJob): FrameKey | undefined {
  return key === null ? undefined : { workload: attempt.workload, key, attempt: attempt.number };
}
