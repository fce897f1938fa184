/** The arrows of the house: each layer may import only what stands below it. */
const below = (name, from, to, comment) => ({
  name,
  severity: 'error',
  comment,
  from: { path: from },
  to: { path: to },
});

const npmPackage = (name) => `node_modules/(@types/)?${name}/`;

/** A client library and its types are imported in one folder, so that its ways do not spread. */
const fence = (library, folder) => ({
  name: `${library.replace(/^@/, '').replace('/', '-')}-is-fenced`,
  severity: 'error',
  comment: `${library} stays behind the seam of ${folder.slice(1)}.`,
  from: { path: '^src/', pathNot: folder },
  to: { path: npmPackage(library) },
});

/** The rooms of a runtime's folder, each with those below it. Leaves are files of the folder itself. */
const rooms = (runtime, below) =>
  Object.keys(below).flatMap((room) => {
    const others = Object.keys(below).filter((name) => name !== room && !below[room].includes(name));
    // The one at the top may import all others.
    if (others.length === 0) return [];
    const path = (names) => `^src/runtime/${runtime}/(${names.join('|')})/`;
    return {
      name: `${runtime}-${room}-knows-what-is-below`,
      severity: 'error',
      comment: 'Rooms import what stands below them, and leaves of their runtime’s folder.',
      from: { path: path([room]) },
      to: { path: path(others) },
    };
  });

/** The folder of a runtime; its name is the group. */
const RUNTIME = '^src/runtime/(?!pool/)([^/]+)/';

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
      'the-output-store-knows-no-job',
      '^src/outputs/store/',
      '^src/(?!outputs/store/|workspace/|config/|common/)',
      'Outputs are kept by the name of their workspace; whose they are is written elsewhere.',
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
      '^src/(?!jobs/|outbox/|outputs/store/|workspace/|database/|config/|runner/|common/)',
      'The record outlives every runtime.',
    ),
    below(
      'the-outbox-knows-no-job',
      '^src/outbox/',
      '^src/(?!outbox/|database/|config/|common/)',
      'Changes are read and removed by their position; what a job is, is for those who are told of them.',
    ),
    below(
      'jobs-record-is-a-leaf',
      '^src/jobs/record/',
      '^src/jobs/(?!record/)',
      'What a job is does not depend on how it is stored, shown or removed.',
    ),
    below(
      'jobs-store-knows-the-record',
      '^src/jobs/store/',
      '^src/jobs/(?!store/|record/)',
      'The store is the only room that knows rows, and it knows nothing else of jobs.',
    ),
    below(
      'jobs-retention-is-above-the-store',
      '^src/jobs/retention/',
      '^src/jobs/(?!retention/|store/|record/)',
      'Old jobs are removed whether or not anybody asks for jobs.',
    ),
    below(
      'jobs-api-is-on-top',
      '^src/jobs/(?!api/|jobs\\.module)',
      '^src/jobs/api/',
      'GraphQL is one view of jobs; nothing that jobs are rests on it.',
    ),
    below(
      'only-the-store-knows-rows',
      '^src/(?!database/|jobs/store/|outbox/)',
      '^src/database/tables\\.ts$',
      'Rows are turned into records in the room that keeps them.',
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
      'outcome-is-a-leaf',
      '^src/execution/outcome/',
      '^src/execution/(?!outcome/)',
      'What became of an attempt is decided from evidence alone.',
    ),
    below(
      'attempt-is-below-admission',
      '^src/execution/attempt/',
      '^src/execution/(?!attempt/|outcome/|replica)',
      'An attempt does not know who began or took it over.',
    ),
    below(
      'admission-and-takeover-begin-attempts',
      '^src/execution/(admission|takeover)/',
      '^src/execution/(?!attempt/|outcome/|replica|$1/)',
      'New jobs and jobs of dead servers come by two doors that do not know each other.',
    ),
    below(
      'upkeep-stands-alone',
      '^src/execution/upkeep/',
      '^src/execution/(?!upkeep/)',
      'What is swept is told by the database and the runtime, not by the attempts in memory.',
    ),
    below(
      'clients-use-the-public-api',
      '^src/(cli|client)/',
      '^src/(?!cli/|client/)',
      'A client sees what every client sees.',
    ),
    {
      name: 'runtimes-do-not-know-each-other',
      severity: 'error',
      comment: 'A runtime is one folder: what two of them need belongs into src/runtime/ itself.',
      from: { path: RUNTIME },
      to: { path: RUNTIME, pathNot: '^src/runtime/$1/' },
    },
    {
      name: 'the-list-alone-knows-runtimes',
      severity: 'error',
      comment: 'A new runtime is a folder, and a line in the list.',
      from: { path: '^src/', pathNot: [RUNTIME, '^src/runtime/runtimes\\.ts$'] },
      to: { path: RUNTIME },
    },
    {
      name: 'the-list-knows-definitions',
      severity: 'error',
      comment: 'Every server imports the list; a client library is imported when it may be used.',
      from: { path: '^src/runtime/runtimes\\.ts$' },
      to: { path: RUNTIME, pathNot: '\\.definition\\.ts$' },
    },
    fence('dockerode', '^src/runtime/docker/'),
    fence('@kubernetes/client-node', '^src/runtime/kubernetes/'),
    fence('pg', '^src/database/'),
    // `maps backup` looks whether what it fetched is whole, and knows nothing of the server's code.
    fence('@photostructure/sqlite', '^src/(database|cli/commands)/'),
    {
      name: 'migrations-and-repositories-write-sql',
      severity: 'error',
      comment: 'SQL is written where rows are kept.',
      from: { path: '^src/', pathNot: '^src/(database|jobs|outbox)/' },
      to: { path: npmPackage('kysely') },
    },
    ...rooms('kubernetes', {
      api: [],
      pod: ['api'],
      life: ['pod', 'api'],
      probes: ['pod', 'api'],
    }),
    ...rooms('process', {
      sandbox: [],
      cgroups: [],
      workload: ['sandbox', 'cgroups'],
    }),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js'] },
  },
};
