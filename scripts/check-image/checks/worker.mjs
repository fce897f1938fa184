import { expect, expectEnd, expectEqual, expectRefusal } from '../expect.mjs';

/** The worker, which waits for its job. */
export const WORKER_CHECKS = [
  {
    title: 'a worker says that it is ready, and takes one job',
    mend: 'With RUNNER_WORKER=1 import RUNNER_PRELOAD, write /spool/ready, wait for the order; the log stays empty until then.',
    async body(bench, { parseReadyReport, workerVariables }) {
      const run = await bench.startRunner({
        variables: workerVariables({ preload: ['json'], idleSeconds: 60 }),
      });
      const report = parseReadyReport(await run.waitForReady());
      expect(report !== undefined, 'the ready report is not understood');
      expectEqual('`failed` of the ready report', report.failed, []);
      expect(report.hasHeartbeat, '`heartbeatSeconds` of the ready report is missing');
      expect((await bench.readLog()).isEmpty, 'the log is not empty before a job came');
      await bench.handOver('import sys; print("json" in sys.modules)');
      const result = await run.finish();
      expectEnd(result, 0, { exitCode: 0 });
      expectEqual('stdout', result.stdout, 'True\n');
    },
  },
  {
    title: 'a worker names the module that it cannot import',
    mend: 'Import nothing then, and name it in `failed` of the ready report.',
    async body(bench, { parseReadyReport, workerVariables }) {
      const variables = workerVariables({ preload: ['no_such_module'], idleSeconds: 60 });
      const run = await bench.startRunner({ variables });
      const report = parseReadyReport(await run.waitForReady());
      expectEqual('the failed module', report?.failed[0]?.module, 'no_such_module');
    },
  },
  {
    title: 'a worker refuses a job with secrets',
    mend: 'End with 119 before `started`: a worker’s order rests on a disk.',
    async body(bench, { RUNNER_EXIT_CODES, workerVariables }) {
      bench.order.secrets = ['KEY'];
      const run = await bench.startRunner({
        variables: { ...workerVariables({ preload: [], idleSeconds: 60 }), KEY: 'x' },
      });
      await run.waitForReady();
      await bench.handOver('print(1)');
      expectRefusal(await run.finish(), RUNNER_EXIT_CODES.needsColdStart);
    },
  },
  {
    title: 'a worker that no job comes for ends',
    mend: 'End with 118 after RUNNER_WORKER_IDLE_SECONDS.',
    async body(bench, { RUNNER_EXIT_CODES, workerVariables }) {
      const run = await bench.startRunner({ variables: workerVariables({ preload: [], idleSeconds: 1 }) });
      expectRefusal(await run.finish(), RUNNER_EXIT_CODES.noJobCame);
    },
  },
  {
    title: 'a worker that is stopped while it waits ends',
    mend: 'End with 143 on SIGTERM, before `started`.',
    async body(bench, { RUNNER_EXIT_CODES, workerVariables }) {
      const run = await bench.startRunner({ variables: workerVariables({ preload: [], idleSeconds: 60 }) });
      await run.waitForReady();
      await run.signal('TERM');
      expectRefusal(await run.finish(), RUNNER_EXIT_CODES.stopped);
    },
  },
];
