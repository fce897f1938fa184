import { createHash } from 'node:crypto';

export const LINES = 1_000_000;
/** With the line feed. */
const LINE_BYTES = 100;
const LINES_PER_WRITE = 100;

/** Numbered, so that a line lost or doubled changes the digest; a hundred per write, so that the script is no brake. */
export const LOG_SCRIPT = `import sys
pad = "x" * ${LINE_BYTES - 9}
for start in range(0, ${LINES}, ${LINES_PER_WRITE}):
    sys.stdout.write("".join(["%07d %s\\n" % (i, pad) for i in range(start, start + ${LINES_PER_WRITE})]))
`;

/** Takes text as it comes and says at the end whether it is exactly what the script printed. */
export function lineChecker() {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    take(text) {
      bytes += typeof text === 'string' ? Buffer.byteLength(text) : text.length;
      hash.update(text);
    },
    assertComplete() {
      if (bytes !== LINES * LINE_BYTES)
        throw new Error(`${bytes} bytes came instead of ${LINES * LINE_BYTES}`);
      if (hash.digest('hex') !== expectedDigest()) throw new Error('the text is not what was printed');
    },
  };
}

let digest;
function expectedDigest() {
  if (digest) return digest;
  const hash = createHash('sha256');
  const pad = 'x'.repeat(LINE_BYTES - 9);
  for (let i = 0; i < LINES; i++) hash.update(`${String(i).padStart(7, '0')} ${pad}\n`);
  digest = hash.digest('hex');
  return digest;
}
