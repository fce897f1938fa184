import { describe, it } from '@jest/globals';

/**
 * Runs `body` when its tier can run on this machine. One that cannot says so loudly, and where TEST_REQUIRE names the
 * tier (as CI does), that is a failure.
 */
export function describeTier(tier: string, unavailable: string | undefined, body: () => void): void {
  if (unavailable === undefined) return body();
  const isRequired = (process.env.TEST_REQUIRE ?? '').split(',').includes(tier);
  if (!isRequired) process.stderr.write(`SKIPPED ${tier}: ${unavailable}\n`);
  describe(`the tier ${tier}`, () => {
    if (!isRequired) return it.skip(`cannot run here: ${unavailable}`, () => undefined);
    it('can run here, as TEST_REQUIRE asks', () => {
      throw new Error(`TEST_REQUIRE names ${tier}, but: ${unavailable}`);
    });
  });
}
