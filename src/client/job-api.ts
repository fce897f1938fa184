import type { ApiClient } from './api-client.js';
import type { Job, LogPage, OutputFile } from './api-types.js';
import type { JobFilter, RunScriptInput, SkippedOutput } from './schema-types.js';
import { CHUNK_FIELDS, JOB_FIELDS } from './api-types.js';

const MAX_JOBS_PAGE = 100;
const MAX_OUTPUTS_PAGE = 1000;

/** The operations on jobs, one method each. */
export class JobApi {
  constructor(private readonly client: ApiClient) {}

  async run(input: RunScriptInput, signal?: AbortSignal): Promise<Job> {
    const document = `mutation Run($input: RunScriptInput!) { runScript(input: $input) { job { ${JOB_FIELDS} } } }`;
    return (await this.client.query<{ runScript: { job: Job } }>(document, { input }, signal)).runScript.job;
  }

  async get(id: string, signal?: AbortSignal): Promise<Job> {
    const document = `query Get($id: ID!) { job(id: $id) { ${JOB_FIELDS} } }`;
    return (await this.client.query<{ job: Job }>(document, { id }, signal)).job;
  }

  async cancel(id: string): Promise<Job> {
    const document = `mutation Cancel($id: ID!) { cancelJob(id: $id) { ${JOB_FIELDS} } }`;
    return (await this.client.query<{ cancelJob: Job }>(document, { id })).cancelJob;
  }

  async delete(id: string): Promise<void> {
    await this.client.query('mutation Delete($id: ID!) { deleteJob(id: $id) }', { id });
  }

  /** Newest first, at most `limit`, fetched in pages. */
  async list(filter: JobFilter, limit: number): Promise<Job[]> {
    const document = `query List($filter: JobFilter, $first: Int!, $after: String) {
      jobs(filter: $filter, first: $first, after: $after) {
        edges { node { ${JOB_FIELDS} } } pageInfo { hasNextPage endCursor } } }`;
    const jobs: Job[] = [];
    for (let after: string | null = null; jobs.length < limit;) {
      const first = Math.min(MAX_JOBS_PAGE, limit - jobs.length);
      const page: JobsPage = await this.client.query<JobsPage>(document, { filter, first, after });
      jobs.push(...page.jobs.edges.map((edge) => edge.node));
      after = page.jobs.pageInfo.endCursor;
      if (!page.jobs.pageInfo.hasNextPage) break;
    }
    return jobs;
  }

  /** The log as it is now, behind `after`. */
  async logs(id: string, after: string | undefined, first: number): Promise<LogPage> {
    const document = `query Logs($id: ID!, $after: String, $first: Int!) { job(id: $id) {
      logs(after: $after, first: $first) { chunks { ${CHUNK_FIELDS} } endCursor hasMore damage } } }`;
    return (await this.client.query<{ job: { logs: LogPage } }>(document, { id, after, first })).job.logs;
  }

  /** Everything that the job left in /output, by path, and what of it was not kept. */
  async outputs(id: string): Promise<{ files: OutputFile[]; skipped: SkippedOutput[] }> {
    const document = `query Outputs($id: ID!, $first: Int!, $after: String) { job(id: $id) {
      outputs(first: $first, after: $after) { path size sha256 contentType url } skippedOutputs { path why } } }`;
    const files: OutputFile[] = [];
    for (;;) {
      const variables = { id, first: MAX_OUTPUTS_PAGE, after: files.at(-1)?.path };
      const { job } = await this.client.query<OutputsPage>(document, variables);
      files.push(...job.outputs);
      if (job.outputs.length < MAX_OUTPUTS_PAGE) return { files, skipped: job.skippedOutputs };
    }
  }
}

interface OutputsPage {
  job: { outputs: OutputFile[]; skippedOutputs: SkippedOutput[] };
}

interface JobsPage {
  jobs: { edges: { node: Job }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}
