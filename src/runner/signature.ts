import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Frame, FrameKind } from './frames.js';
import { FRAME_HEADER_BYTES, encodeFrame, headerOf } from './frames.js';
import type { WorkloadKey } from './key.js';

/** A key, and the attempt whose words are signed with it; 0 for a worker that has no job yet. */
export interface FrameKey extends WorkloadKey {
  readonly attempt: number;
}

/** What is signed: the frames that decide, and what a worker says when it is ready. */
export type SignedKind = 'started' | 'ended' | 'ready';

const PROTOCOL = 'maps-runner-1';
const TAIL = /^,"mac":"([0-9a-f]{64})"\}$/;
const TAIL_BYTES = ',"mac":""}'.length + 64;
const NO_HEADER = Buffer.alloc(0);

/** Whether the runner that has the key wrote this frame. */
export function isSignedFrame(frame: Frame, key: FrameKey): boolean {
  const kind = toSignedKind(frame.kind);
  return kind !== undefined && isSigned(kind, headerOf(frame), frame.payload, key);
}

/** What the signature of a worker's report is worth; `none`: its image signs nothing. */
export function readyTrust(text: string, key: WorkloadKey): 'signed' | 'none' | 'forged' {
  const payload = Buffer.from(text);
  if (!TAIL.test(tailOf(payload))) return 'none';
  return isSigned('ready', NO_HEADER, payload, { ...key, attempt: 0 }) ? 'signed' : 'forged';
}

/** A frame as a runner signs it; for tests and for the fake runtime. `payload` is a JSON object. */
export function encodeSignedFrame(
  frame: { kind: 'started' | 'ended'; atMs?: number; payload: string },
  key: FrameKey,
): Buffer {
  const signedLength = Buffer.byteLength(frame.payload) - 1 + TAIL_BYTES;
  const header = encodeFrame({ ...frame, payload: Buffer.alloc(signedLength) }).subarray(
    0,
    FRAME_HEADER_BYTES,
  );
  return Buffer.concat([header, Buffer.from(sign(frame.kind, header, frame.payload, key))]);
}

/** A worker's report as a runner signs it; for tests and for the fake runtime. */
export function signReady(text: string, key: WorkloadKey): string {
  return sign('ready', NO_HEADER, text, { ...key, attempt: 0 });
}

function toSignedKind(kind: FrameKind): SignedKind | undefined {
  return kind === 'started' || kind === 'ended' ? kind : undefined;
}

function isSigned(kind: SignedKind, header: Buffer, payload: Buffer, key: FrameKey): boolean {
  const [, mac] = TAIL.exec(tailOf(payload)) ?? [];
  if (mac === undefined) return false;
  const signed = payload.subarray(0, payload.length - TAIL_BYTES);
  return timingSafeEqual(Buffer.from(mac, 'hex'), macOf(kind, header, signed, key));
}

function tailOf(payload: Buffer): string {
  return payload.subarray(Math.max(0, payload.length - TAIL_BYTES)).toString('latin1');
}

function sign(kind: SignedKind, header: Buffer, payload: string, key: FrameKey): string {
  const signed = payload.slice(0, -1);
  return `${signed},"mac":"${macOf(kind, header, Buffer.from(signed), key).toString('hex')}"}`;
}

function macOf(
  kind: SignedKind,
  header: Buffer,
  signed: Buffer,
  { key, workload, attempt }: FrameKey,
): Buffer {
  const context = [PROTOCOL, workload, String(attempt), kind, ''].join('\0');
  return createHmac('sha256', Buffer.from(key, 'hex')).update(context).update(header).update(signed).digest();
}
