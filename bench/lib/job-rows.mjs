import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DatabaseSync } from '@photostructure/sqlite';
import { v7 } from 'uuid';

const TEAMS = 10;

/**
 * Fills a database that no server has open with finished jobs, the oldest first; a tenth of them for each team. In a process
 * of its own: a closed connection holds its file as long as one of its statements has not been collected.
 */
export function insertJobs(path, count) {
  execFileSync(process.execPath, [fileURLToPath(import.meta.url), path, String(count)]);
}

function insert(path, count) {
  const db = new DatabaseSync(path);
  db.exec('pragma journal_mode = WAL');
  db.exec('pragma synchronous = OFF');
  const job = db.prepare(`
    insert into jobs (id, name, environment, priority, state, reason, message, exit_code, attempt, epoch, available_at,
                      timeout_seconds, memory_mb, cpus, network, retries, created_at, claimed_at, started_at, ended_at,
                      finished_at, wall_ms, cpu_ms, peak_memory_bytes)
    values (@id, @name, 'default', 0, @state, @reason, 'The script ended.', @exitCode, 1, 1, @at,
            600, 1024, 1, 'NONE', 0, @at, @at, @at, @at, @at, 100, 50, 12000000)`);
  const spec = db.prepare(
    `insert into job_specs (job_id, script, request, env) values (?, 'print("x")', 'null', '{}')`,
  );
  const label = db.prepare(`insert into job_labels (job_id, name, value) values (?, 'team', ?)`);
  const attempt = db.prepare(`
    insert into attempts (job_id, number, runtime, scope, workload, workspace, start_intent_at, start_kind, start_why,
                          started_at, ended_at, reason, message)
    values (@id, 1, 'process', 'bench', @workload, @workspace, @at, 'COLD', 'Every job gets a fresh workload.',
            @at, @at, @reason, 'The script ended.')`);
  const first = Date.now() - count - 1000;
  db.exec('begin');
  for (let i = 0; i < count; i++) {
    const at = first + i;
    const hasFailed = i % 7 === 0;
    const id = v7({ msecs: at });
    const state = hasFailed ? 'FAILED' : 'SUCCEEDED';
    const reason = hasFailed ? 'EXIT_NONZERO' : 'EXIT_ZERO';
    job.run({ id, name: `job ${i}`, state, reason, exitCode: hasFailed ? 1 : 0, at });
    spec.run(id);
    label.run(id, `team-${i % TEAMS}`);
    attempt.run({ id, workload: `runner-${id}`, workspace: v7({ msecs: at }), at, reason });
  }
  db.exec('commit');
  db.exec('pragma wal_checkpoint(TRUNCATE)');
  db.close();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) insert(process.argv[2], Number(process.argv[3]));
