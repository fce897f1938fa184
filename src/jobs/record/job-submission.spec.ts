import { describe, expect, it } from '@jest/globals';
import type { JobSubmission } from './job-submission.js';
import { submissionDigest } from './job-submission.js';

const SUBMISSION: JobSubmission = {
  script: 'print(1)',
  requestText: '{"z":1,"a":[null,"ä"]}',
  files: [{ path: 'a/b.txt', content: Buffer.from('hello') }],
  environment: 'default',
  name: 'n',
  labels: [{ name: 'team', value: 'x' }],
  priority: 3,
  timeoutSeconds: 60,
  memoryMb: 256,
  cpus: 1,
  network: 'NONE',
  env: { B: '2', A: '1' },
  secrets: ['S2', 'S1'],
  retries: 1,
  idempotencyKey: 'k',
};

/** As release 0.1.0 stored them: a caller may come again with its key after an upgrade. */
const WITH_SECRETS = '82b66ad2cb2b57ebf0ae5a04a020f14e28a5f6df73e6c1def727c0e03d5d4386';
const WITHOUT_SECRETS = '0c55101d94a1fe089364730c2385ff77970d27ca8c47d9efe5735b9960db6487';

describe('the digest of a submission', () => {
  it('is what earlier releases stored', () => {
    expect(submissionDigest(SUBMISSION)).toBe(WITH_SECRETS);
    expect(submissionDigest({ ...SUBMISSION, secrets: [], requestText: 'null' })).toBe(WITHOUT_SECRETS);
  });

  it('does not go by the order of names, and goes by everything else', () => {
    const same = { ...SUBMISSION, requestText: '{"a":[null,"ä"],"z":1}', env: { A: '1', B: '2' } };
    expect(submissionDigest({ ...same, secrets: ['S1', 'S2'] })).toBe(WITH_SECRETS);
    expect(submissionDigest({ ...same, requestText: '{"a":["ä",null],"z":1}' })).not.toBe(WITH_SECRETS);
  });
});
