import { describe, it } from '@jest/globals';

/** Whether TEST_REQUIRE names the tier, so that to skip it is a failure. */
export function isRequired(tier: string): boolean {
  return (process.env.TEST_REQUIRE ?? '').split(',').includes(tier);
}

/**
 * Runs `body` when its tier can run on this machine, and says that it is used, and what it is made of where `used` tells
 * it. One that cannot says so loudly, and where TEST_REQUIRE names the tier (as CI does), that is a failure.
 */
export function describeTier(
  tier: string,
  unavailable: string | undefined,
  body: () => void,
  used?: string,
): void {
  if (unavailable === undefined) {
    sayUsed(tier, used);
    return body();
  }
  if (!isRequired(tier)) process.stderr.write(`SKIPPED ${tier}: ${unavailable}\n`);
  describe(`the tier ${tier}`, () => {
    if (!isRequired(tier)) return it.skip(`cannot run here: ${unavailable}`, () => undefined);
    it('can run here, as TEST_REQUIRE asks', () => {
      throw new Error(`TEST_REQUIRE names ${tier}, but: ${unavailable}`);
    });
  });
}

/** A line that scripts/test.mjs collects for its summary. */
export function sayUsed(tier: string, what?: string): void {
  process.stderr.write(`USED ${tier}${what === undefined ? '' : `: ${what}`}\n`);
}
