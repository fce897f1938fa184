/** The arrows of the house: each layer may import only what stands below it. */
const below = (name, from, to, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A ring cannot be read or tested in parts.',
      from: {},
      to: { circular: true },
    },
    below(
      'common-is-a-leaf',
      '^src/common/',
      '^src/(?!common/)',
      'common is imported by all and imports nobody.',
    ),
    below(
      'runner-is-a-contract',
      '^src/runner/',
      '^src/(?!runner/|common/)',
      'What server and runner have agreed on stands by itself: a runner image may be of another version.',
    ),
    below(
      'config-knows-common',
      '^src/config/',
      '^src/(?!config/|runner/|common/)',
      'Configuration must be readable before anything else exists.',
    ),
    below(
      'database-knows-config',
      '^src/database/',
      '^src/(?!database/|config/|common/)',
      'Tables and dialects know no feature.',
    ),
    below(
      'workspace-knows-config',
      '^src/workspace/',
      '^src/(?!workspace/|config/|runner/|common/)',
      'Folders know no job and no runtime.',
    ),
    below(
      'runtime-knows-no-job',
      '^src/runtime/',
      '^src/(?!runtime/|workspace/|database/|config/|runner/|common/)',
      'A runtime runs workloads; what a job is, is not its business.',
    ),
    below(
      'jobs-know-no-runtime',
      '^src/jobs/',
      '^src/(?!jobs/|workspace/|database/|config/|runner/|common/)',
      'The record outlives every runtime.',
    ),
    below(
      'logs-know-no-runtime',
      '^src/logs/',
      '^src/(?!logs/|jobs/|workspace/|database/|config/|runner/|common/)',
      'Logs are read from the spool, whoever wrote it.',
    ),
    below(
      'execution-is-below-the-api',
      '^src/execution/',
      '^src/(graphql|health|files|auth|cli|client)/',
      'Jobs run whether or not anybody asks.',
    ),
    below(
      'clients-use-the-public-api',
      '^src/(cli|client)/',
      '^src/(?!cli/|client/)',
      'A client sees what every client sees.',
    ),
    {
      name: 'only-config-reads-the-environment',
      severity: 'error',
      comment: 'One reader, one reference page.',
      from: { path: '^src/(?!config/|cli/)' },
      to: { path: '^node:process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
