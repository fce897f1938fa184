import { expectEqual, expectRefusal } from '../expect.mjs';

const SHOWS_ORDER = `
import json, os
print(json.dumps([os.environ.get(name) for name in ("CITY", "JOB_ID")] + [open(os.environ["REQUEST_PATH"]).read()]))
`;

/** The order, and the runs that are refused before anything is run. */
export const ORDER_CHECKS = [
  {
    title: 'the order is read, and the request',
    mend: 'Read /job/job.json, and give the script `env`, JOB_ID and REQUEST_PATH.',
    async body(bench) {
      bench.order.env = { CITY: 'Zürich' };
      const result = await bench.run(SHOWS_ORDER);
      expectEqual('what the script finds', parsed(result.stdout), ['Zürich', 'check-image', '{"year":2026}']);
    },
  },
  {
    title: 'an order of a version it does not know is refused',
    mend: 'End with 122 before `started` when `version` is not 1.',
    async body(bench, { RUNNER_EXIT_CODES }) {
      bench.order.version = 2;
      expectRefusal(await bench.run('print(1)'), RUNNER_EXIT_CODES.badOrder);
    },
  },
  {
    title: 'without an order nothing runs',
    mend: 'End with 122 when there is no /job/job.json.',
    async body(bench, { RUNNER_EXIT_CODES }) {
      expectRefusal(await (await bench.startRunner()).finish(), RUNNER_EXIT_CODES.badOrder);
    },
  },
  {
    title: 'an order that was withdrawn is not carried out',
    mend: 'End with 125 when the order is {"withdrawn": true}.',
    async body(bench, { RUNNER_EXIT_CODES, WITHDRAWN_ORDER }) {
      await bench.handOver('print(1)', WITHDRAWN_ORDER);
      expectRefusal(await (await bench.startRunner()).finish(), RUNNER_EXIT_CODES.withdrawn);
    },
  },
  {
    title: 'a script is never run twice',
    mend: 'End with 121, and leave the log alone, when /spool/log is not empty.',
    async body(bench, { RUNNER_EXIT_CODES }) {
      const first = await bench.run('print(1)');
      const second = await bench.run('print(2)');
      expectEqual('the exit code of the second run', second.code, RUNNER_EXIT_CODES.spoolInUse);
      expectEqual('the length of the log after it', second.bytes, first.bytes);
    },
  },
  {
    title: 'a script waits until the network is closed, and the log tells of it',
    mend: 'Obey RUNNER_AWAIT_CLOSED, and tell of it in `started`; else jobs with network NONE are not begun on Kubernetes.',
    async body(bench, { RUNNER_VARIABLES }) {
      const variables = {
        [RUNNER_VARIABLES.awaitClosed]: '127.0.0.1:9',
        [RUNNER_VARIABLES.awaitClosedSeconds]: '20',
      };
      const { network } = parsed((await bench.run('print(1)', { variables })).payload('started')) ?? {};
      expectEqual('`network.closed` of the first frame', network?.closed, true);
    },
  },
  {
    title: 'members of the order that it does not know are ignored',
    mend: 'Ignore them: a later server may send more.',
    async body(bench) {
      bench.order.later = { more: true };
      expectEqual('the output', (await bench.run('print("ran")')).stdout, 'ran\n');
    },
  },
];

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
