/**
 * What the kernel refuses a sandboxed script, beyond what missing capabilities refuse it: ways to new privileges inside
 * namespaces of its own, and parts of the kernel that no script needs and many an exploit has begun with. In the spirit
 * of the default profile of container engines.
 */

type Architecture = 'x64' | 'arm64';

const AUDIT_ARCH: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };

/** Numbers of system calls, per architecture; those after `pidfd_open` have the same number everywhere. */
const REFUSED: Record<Architecture, readonly number[]> = {
  // add_key, request_key, keyctl (keyrings are shared by all scripts, which have one uid); bpf, perf_event_open,
  // userfaultfd, kexec_load, kexec_file_load, init_module, finit_module, delete_module, mount, umount2, pivot_root,
  // setns, open_by_handle_at, name_to_handle_at, quotactl
  x64: [248, 249, 250, 321, 298, 323, 246, 320, 175, 313, 176, 165, 166, 155, 308, 304, 303, 179],
  arm64: [217, 218, 219, 280, 241, 282, 104, 294, 105, 273, 106, 40, 39, 41, 268, 265, 264, 60],
};
/** open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr */
const REFUSED_EVERYWHERE = [428, 429, 430, 431, 432, 433, 442];
/** io_uring_setup, io_uring_enter, io_uring_register; and clone3, whose arguments a filter cannot read */
const UNKNOWN = [425, 426, 427, 435];

const SOCKET: Record<Architecture, number> = { x64: 41, arm64: 198 };
const CLONE: Record<Architecture, number> = { x64: 56, arm64: 220 };
const UNSHARE: Record<Architecture, number> = { x64: 272, arm64: 97 };

const CLONE_NEWUSER = 0x10000000;
/** Sockets to the hypervisor, which no network namespace keeps apart. */
const AF_VSOCK = 40;
/** The bit of x86's 32-bit-pointer calls, which have numbers of their own. */
const X32_BIT = 0x40000000;

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const errno = (code: number): number => 0x00050000 | code;

/** Offsets in `struct seccomp_data`; the low half of the first argument on little-endian machines. */
const NUMBER = 0;
const ARCH = 4;
const FIRST_ARGUMENT = 16;

const LOAD = 0x20;
const RETURN = 0x06;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

const load = (offset: number): Instruction => [LOAD, 0, 0, offset];
const give = (verdict: number): Instruction => [RETURN, 0, 0, verdict];
/** Skips the next `skip` instructions unless the condition holds. */
const unless = (condition: number, operand: number, skip: number): Instruction => [
  condition,
  0,
  skip,
  operand,
];

/** The filter as `bwrap --seccomp` takes it: an array of `struct sock_filter`. Undefined for another architecture. */
export function seccompFilter(architecture: string): Buffer | undefined {
  if (architecture !== 'x64' && architecture !== 'arm64') return undefined;
  return encode([
    load(ARCH),
    // Also ends programs that use the 32-bit calls of the same machine.
    [IF_EQUAL, 1, 0, AUDIT_ARCH[architecture]],
    give(KILL_PROCESS),
    load(NUMBER),
    ...(architecture === 'x64' ? [unless(IF_AT_LEAST, X32_BIT, 1), give(errno(ENOSYS))] : []),
    ...UNKNOWN.flatMap((number) => [unless(IF_EQUAL, number, 1), give(errno(ENOSYS))]),
    ...[...REFUSED[architecture], ...REFUSED_EVERYWHERE].flatMap((number) => [
      unless(IF_EQUAL, number, 1),
      give(errno(EPERM)),
    ]),
    ...refuseArgument(CLONE[architecture], IF_ANY_BIT, CLONE_NEWUSER, EPERM),
    ...refuseArgument(UNSHARE[architecture], IF_ANY_BIT, CLONE_NEWUSER, EPERM),
    ...refuseArgument(SOCKET[architecture], IF_EQUAL, AF_VSOCK, EAFNOSUPPORT),
    give(ALLOW),
  ]);
}

/** Refuses a call when its first argument meets the condition. */
function refuseArgument(number: number, condition: number, operand: number, code: number): Instruction[] {
  return [
    unless(IF_EQUAL, number, 4),
    load(FIRST_ARGUMENT),
    unless(condition, operand, 1),
    give(errno(code)),
    give(ALLOW),
  ];
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, operand], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(operand >>> 0, index * 8 + 4);
  });
  return bytes;
}
