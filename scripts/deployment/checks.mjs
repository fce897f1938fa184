// What a deployment check prints: one line per check, a count at the end, and an end at the first that fails.

let passed = 0;

export function step(title) {
  console.log(`\n== ${title} ==`);
}

/** Runs one check and says so; what it returns in words is shown behind its title. Throws what it throws. */
export async function check(title, body) {
  const startedAt = Date.now();
  try {
    const note = await body();
    passed += 1;
    const seconds = ((Date.now() - startedAt) / 1000).toFixed(1);
    console.log(`  ok      ${title}${typeof note === 'string' ? `: ${note}` : ''} (${seconds} s)`);
    return note;
  } catch (error) {
    console.log(`  FAILED  ${title}`);
    throw error;
  }
}

export function expect(condition, message) {
  if (!condition) throw new Error(message);
}

/**
 * Runs everything, then `cleanUp` whatever happened, and ends the process: 0 when every check passed. An interrupt cleans
 * up too.
 */
export async function main(body, cleanUp) {
  let code = 1;
  // Waiting for an answer does not always keep a process from ending.
  const alive = setInterval(() => undefined, 60_000);
  const interrupted = new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'])
      process.once(signal, () => reject(new Error(`interrupted by ${signal}`)));
  });
  try {
    await Promise.race([body(), interrupted]);
    code = 0;
  } catch (error) {
    console.error(`\n${error.message}`);
  }
  try {
    await cleanUp();
  } catch (error) {
    console.error(`\nNot everything could be removed: ${error.message}`);
    code = 1;
  }
  clearInterval(alive);
  console.log(`\n${passed} passed, ${code === 0 ? 0 : 1} failed`);
  process.exit(code);
}
