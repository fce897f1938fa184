import { LOGS } from './service.js';
import type { JobView, LogEventView, TestService } from './service.js';

export interface FollowedLog {
  /** What came so far, in the order in which it came. */
  text: string;
  seqs: number[];
  /** The job as the last event has it. */
  job: JobView | null;
}

/** One subscriber of a job's log, from its first chunk to the end. */
export class LogFollower implements FollowedLog {
  text = '';
  readonly seqs: number[] = [];
  job: JobView | null = null;
  /** Resolves when the log has ended. */
  readonly ended: Promise<FollowedLog>;

  constructor(service: TestService, id: string) {
    this.ended = this.follow(service, id);
    this.ended.catch(() => undefined); // told to whoever waits for it
  }

  private async follow(service: TestService, id: string): Promise<FollowedLog> {
    const events = service.socket().iterate<{ jobLogs: LogEventView }>({ query: LOGS, variables: { id } });
    for await (const { data } of events) this.take(data!.jobLogs);
    return this;
  }

  private take({ chunks, job }: LogEventView): void {
    this.text += chunks.map(({ text }) => text).join('');
    this.seqs.push(...chunks.map(({ seq }) => seq));
    this.job = job ?? this.job;
  }
}
