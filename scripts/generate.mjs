// Writes what is generated from the code: schema.gql, the client's types, docs/configuration.md and k8s/runner-pod-template.yaml. With --check it only compares, and
// fails when a file is not what the code says. Needs `npm run build` before.
import { readFileSync, writeFileSync } from 'node:fs';
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { GraphQLSchemaBuilderModule, GraphQLSchemaFactory } from '@nestjs/graphql';
import { lexicographicSortSchema, printSchema } from 'graphql';
import { format, resolveConfig } from 'prettier';
import { clientTypes } from './generate/client-types.mjs';

const STYLE = await resolveConfig('src/client/schema-types.ts');
const HEADER = '# Generated from the code by `npm run generate`; do not edit.\n\n';

async function makeSchema() {
  const resolvers = await Promise.all([
    import('../dist/jobs/api/job.resolver.js').then((m) => m.JobResolver),
    import('../dist/logs/log.resolver.js').then((m) => m.LogResolver),
    import('../dist/graphql/service.resolver.js').then((m) => m.ServiceResolver),
  ]);
  const app = await NestFactory.createApplicationContext(GraphQLSchemaBuilderModule, { logger: false });
  const built = await app.get(GraphQLSchemaFactory).create(resolvers);
  await app.close();
  return built;
}

async function configuration() {
  await import('../dist/config/app-config.js');
  const { variableDocs } = await import('../dist/config/variable.decorator.js');
  const rowsOf = (group) =>
    variableDocs()
      .filter((each) => each.group === group)
      .map(toRow);
  return page(rowsOf('AppConfig'), rowsOf('KubernetesConfig'));
}

function toRow(variable) {
  const unit = variable.unit ? ` (${variable.unit})` : '';
  const secret = variable.secret ? ` Secret: \`${variable.name}_FILE\` may name a file that holds it.` : '';
  return `| \`${variable.name}\` | ${variable.type}${unit} | ${variable.defaultText} | ${variable.description}${secret} |`;
}

const TABLE_HEAD = ['| variable | type | default | meaning |', '| --- | --- | --- | --- |'];

function page(general, kubernetes) {
  return [
    '# Configuration',
    '',
    'Generated from `src/config/` by `npm run generate`; do not edit.',
    '',
    'Everything is set by environment variables, or by a `.env` file in the working directory (the environment wins). An',
    'empty variable counts as unset. A server whose configuration is not valid does not start, and names every fault at once.',
    'Lists are separated by commas.',
    '',
    ...TABLE_HEAD,
    ...general,
    '',
    '## Of the kubernetes runtime',
    '',
    ...TABLE_HEAD,
    ...kubernetes,
    '',
  ].join('\n');
}

/** The pod of a job that asks for nothing special, with a secret to show how those get in. */
async function runnerPod() {
  const { GATE_SECONDS } = await import('../dist/runtime/kubernetes/probes/network-sight.js');
  const { toPod } = await import('../dist/runtime/kubernetes/pod/to-pod.js');
  const { toKubernetesOptions } = await import('../dist/runtime/kubernetes/to-kubernetes-options.js');
  const { loadConfig } = await import('../dist/config/load-config.js');
  const { dumpYaml } = await import('@kubernetes/client-node');
  const config = loadConfig({ K8S_DATASETS_CLAIM: 'maps-datasets', NODE_NAME: 'node-of-the-backend' });
  const options = toKubernetesOptions(config, 'installation-id', undefined);
  const spec = {
    name: 'runner-job-id',
    jobId: 'job-id',
    attempt: 1,
    image: config.RUNNER_IMAGE,
    workspace: { id: 'workspace-id' },
    limits: {
      memoryMb: config.DEFAULT_MEMORY_MB,
      cpus: 1,
      pids: config.MAX_PIDS,
      tmpBytes: config.MAX_TMP_BYTES,
    },
    network: 'NONE',
    timeoutSeconds: config.DEFAULT_TIMEOUT_SECONDS,
    graceSeconds: config.STOP_GRACE_SECONDS,
    secrets: ['GOOGLE_API_KEY'],
  };
  const user = { uid: 10001, gid: 10001 };
  const template = { ...options, options: options.pod, user, nodeName: options.nodeName };
  const pod = toPod(spec, template, true, { seconds: GATE_SECONDS, isRequired: true });
  return [
    HEADER.trimEnd(),
    '# The pod that the service makes for a job, for reference: it is not to be applied. The names job-id, workspace-id,',
    '# installation-id and node-of-the-backend stand for what each job and installation has.',
    dumpYaml(pod),
  ].join('\n');
}

const schema = await makeSchema();
const isCheck = process.argv.includes('--check');
let stale = 0;
for (const [path, content] of [
  ['schema.gql', `${HEADER}${printSchema(lexicographicSortSchema(schema))}\n`],
  ['src/client/schema-types.ts', await format(clientTypes(schema), { ...STYLE, parser: 'typescript' })],
  ['docs/configuration.md', await configuration()],
  ['k8s/runner-pod-template.yaml', await runnerPod()],
]) {
  const url = new URL(`../${path}`, import.meta.url);
  if (!isCheck) {
    writeFileSync(url, content);
    continue;
  }
  if (readOrEmpty(url) === content) continue;
  stale += 1;
  console.error(`${path} is not what the code says: run \`npm run generate\` and commit it.`);
}
process.exitCode = stale > 0 ? 1 : 0;

function readOrEmpty(url) {
  try {
    return readFileSync(url, 'utf8');
  } catch {
    return '';
  }
}
