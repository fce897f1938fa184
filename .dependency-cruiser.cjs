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
      'config-knows-common',
      '^src/config/',
      '^src/(?!config/|common/)',
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
      '^src/(?!workspace/|config/|common/)',
      'Folders know no job and no runtime.',
    ),
    below(
      'the-output-store-knows-no-job',
      '^src/outputs/store/',
      '^src/(?!outputs/store/|workspace/|config/|common/)',
      'Outputs are kept by the name of their workspace; whose they are is written elsewhere.',
    ),
    below(
      'runtime-knows-no-job',
      '^src/runtime/',
      '^src/(?!runtime/|workspace/|database/|config/|common/)',
      'A runtime runs workloads; what a job is, is not its business.',
    ),
    below(
      'jobs-know-no-runtime',
      '^src/jobs/',
      '^src/(?!jobs/|outputs/store/|workspace/|database/|config/|common/)',
      'The record outlives every runtime.',
    ),
    below(
      'logs-know-no-runtime',
      '^src/logs/',
      '^src/(?!logs/|jobs/|workspace/|database/|config/|common/)',
      'Logs are read from the spool, whoever wrote it.',
    ),
    below(
      'execution-is-below-the-api',
      '^src/execution/',
      '^src/(graphql|health|http|outputs/downloads|auth|cli|client)/',
      'Jobs run whether or not anybody asks.',
    ),
    {
      name: 'outputs-are-reached-by-their-contract',
      severity: 'error',
      comment: 'Outputs may lie elsewhere than in a folder.',
      from: { path: '^src/(?!outputs/store/)' },
      to: { path: '^src/outputs/store/(?!output-store)' },
    },
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
