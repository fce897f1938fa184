import { expect, expectEnd, expectEqual, expectRefusal } from '../expect.mjs';

const REPLACES_ITS_LOG = (log) => `
import os
print("before", flush=True)
os.unlink(${JSON.stringify(log)})
os.mkdir(${JSON.stringify(log)})
`;
const LISTS = (folder) => `import os; print(sorted(os.listdir(${JSON.stringify(folder)})))`;

/** What decides over a job is signed with its key. */
export const SIGNATURE_CHECKS = [
  {
    title: 'the first frame and the last are signed',
    mend: 'Sign `started` and `ended` with the key in /spool/key, as the last member of their JSON.',
    async body(bench) {
      await bench.giveKey();
      const result = await bench.run('print(1)');
      expectEnd(result, 0, { exitCode: 0 });
      expectSigned(result);
    },
  },
  {
    title: 'the key is gone when the script runs',
    mend: 'Remove /spool/key before you let the script go.',
    async body(bench) {
      await bench.giveKey();
      const { stdout } = await bench.run(LISTS(bench.seenFolders.spool));
      expectEqual('what is in /spool', stdout, "['log']\n");
    },
  },
  {
    title: 'a signed order without its key is refused',
    mend: 'End with 121 before `started` when the order is `signed` and there is no /spool/key.',
    async body(bench, { RUNNER_EXIT_CODES }) {
      bench.order.signed = true;
      expectRefusal(await bench.run('print(1)'), RUNNER_EXIT_CODES.spoolInUse);
    },
  },
  {
    title: 'a log that the script put something else in place of is put back',
    mend: 'When the script has ended and all of its processes are killed, see that /spool/log is your log, before you end.',
    async body(bench, { LOG_FILE }) {
      await bench.giveKey();
      const result = await bench.run(REPLACES_ITS_LOG(`${bench.seenFolders.spool}/${LOG_FILE}`));
      expectEnd(result, 0, { exitCode: 0 });
      expectEqual('stdout', result.stdout, 'before\n');
      expectSigned(result);
    },
  },
  {
    title: 'a worker signs that it is ready, and its job',
    mend: 'Sign /spool/ready with attempt 0 and no header; keep the key until the job’s script runs.',
    async body(bench, { readyTrust, workerVariables }) {
      await bench.giveKey();
      const run = await bench.startRunner({ variables: workerVariables({ preload: [], idleSeconds: 60 }) });
      expectEqual(
        'the signature of the ready report',
        readyTrust(await run.waitForReady(), bench.key),
        'signed',
      );
      await bench.handOver('print(1)');
      expectSigned(await run.finish());
    },
  },
];

function expectSigned({ signedStart, signedEnd }) {
  expect(signedStart !== undefined, '`started` is not signed as it must be');
  expect(signedEnd !== undefined, '`ended` is not signed as it must be');
}
