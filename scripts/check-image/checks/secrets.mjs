import { expect, expectEnd, expectEqual, expectRefusal } from '../expect.mjs';

const VALUE = 'a-value-nobody-may-see';
const USES_IT = `
import os
print(len(os.environ["KEY"]), os.environ["KEY"])
`;

/** The values of secrets. */
export const SECRET_CHECKS = [
  {
    title: 'a secret comes by standard input, and is masked',
    mend: 'With RUNNER_SECRETS_FROM=stdin read one line of JSON; put *** for each value in the log and in the copy.',
    async body(bench, { SECRETS_FROM_STDIN, toSecretLine }) {
      bench.order.secrets = ['KEY'];
      const input = toSecretLine(new Map([['KEY', VALUE]]));
      expectMasked(await bench.run(USES_IT, { variables: SECRETS_FROM_STDIN, input }));
    },
  },
  {
    title: 'a secret comes by the environment, and is masked',
    mend: 'Without RUNNER_SECRETS_FROM take the values from the variables of these names.',
    async body(bench) {
      bench.order.secrets = ['KEY'];
      expectMasked(await bench.run(USES_IT, { variables: { KEY: VALUE } }));
    },
  },
  {
    title: 'without the value of a secret nothing runs',
    mend: 'End with 124 before `started`.',
    async body(bench, { RUNNER_EXIT_CODES }) {
      bench.order.secrets = ['KEY'];
      expectRefusal(await bench.run('print(1)'), RUNNER_EXIT_CODES.noSecrets);
    },
  },
];

function expectMasked(result) {
  expectEnd(result, 0, { exitCode: 0 });
  expectEqual('stdout', result.stdout, `${VALUE.length} ***\n`);
  expect(!result.printed.includes(VALUE), 'the copy shows the value');
}
