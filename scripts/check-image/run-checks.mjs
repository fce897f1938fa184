import { Bench } from './bench.mjs';

const DEADLINE_MS = 60_000;

/** Runs each check with a workspace of its own; says for each whether it holds, and what mends one that does not. */
export async function runChecks(checks, setup, print) {
  let passed = 0;
  for (const check of checks) {
    const fault = await faultOf(check, setup);
    if (fault === undefined) {
      passed += 1;
      print(`  ok      ${check.title}`);
    } else {
      print(`  not ok  ${check.title}: ${fault}`);
      print(`          ${check.mend}`);
    }
  }
  print(`\n${passed} passed, ${checks.length - passed} failed`);
  return passed === checks.length;
}

/** What was seen that must not be, in a sentence; undefined when the check holds. */
export async function faultOf(check, { runner, contract, deadlineMs = DEADLINE_MS }) {
  const bench = await Bench.open({ runner, contract, deadlineMs });
  try {
    await check.body(bench, contract);
    return undefined;
  } catch (error) {
    return bench.complaint ? `${error.message}; the runner said: ${bench.complaint}` : error.message;
  } finally {
    await bench.close();
  }
}
