import { createHash } from 'node:crypto';
import { startsOf } from './records.mjs';

/** A success has all of its outputs, whole. */
export function outputsAreThere(record) {
  const { final, plan } = record;
  if (final?.state !== 'SUCCEEDED' || record.isDiskTouched) return [];
  const start = startsOf(record).find(({ attempt }) => attempt === final.attempt);
  if (!start) return ['it succeeded, and its script was never seen to begin'];
  const expected = [
    ...plan.outputs,
    { path: 'token', sha256: sha256(start.token), size: start.token.length },
  ];
  const got = new Map(final.outputs.map((output) => [output.path, output]));
  const faults = expected.flatMap((output) => outputFault(output, got.get(output.path)));
  const more = [...got.keys()].filter((path) => !expected.some((output) => output.path === path));
  return [...faults, ...more.map((path) => `the output ${path} is not of this script`)];
}

function outputFault({ path, sha256, size }, got) {
  if (!got) return [`the output ${path} is missing`];
  if (got.sha256 !== sha256 || got.size !== size)
    return [`the output ${path} is another: ${got.size} bytes of ${size}`];
  return got.content === undefined || got.content === sha256
    ? []
    : [`the download of ${path} is another file`];
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}
