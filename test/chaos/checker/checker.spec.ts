import { describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { check } from './checker.mjs';

type Details = Record<string, unknown>;

const TOKEN = 'a'.repeat(32);
const OTHER_TOKEN = 'b'.repeat(32);
const END = { state: 'SUCCEEDED', reason: 'EXIT_ZERO', exitCode: 0, attempt: 1 };
const OUTPUT = { path: 'token', size: 32, sha256: createHash('sha256').update(TOKEN).digest('hex') };

/** A job that prints two lines and ends with 0. */
const PLAN = {
  name: 'chaos-1',
  kind: 'short',
  input: { timeoutSeconds: 2 },
  stdout: 'line 0\nline 1\n',
  stderr: '',
  outputs: [] as (typeof OUTPUT)[],
  retries: 0,
  end: { state: 'SUCCEEDED', reason: 'EXIT_ZERO', exitCode: 0 as number | null },
  endsByItself: true,
};

/** What is seen of it when nothing goes wrong. */
const EVENTS = {
  accepted: { type: 'accepted', plan: 'chaos-1' },
  queued: { type: 'observed', observer: 'list', state: 'QUEUED', attempt: 0 },
  running: { type: 'observed', observer: 'list', state: 'RUNNING', attempt: 1 },
  started: { type: 'started', attempt: 1, token: TOKEN, workspace: 'w1' },
  chunk1: chunk(1, `start j1 1 ${TOKEN}\nline 0\n`),
  chunk2: chunk(2, 'line 1\n'),
  logEnd: { type: 'logEnd', follower: 'live' },
  ended: { type: 'observed', observer: 'list', ...END },
  final: { type: 'final', name: 'chaos-1', ...END, wallMs: 100, outputs: [OUTPUT] },
};

function chunk(seq: number, text: string, more: Details = {}): Details {
  return {
    type: 'chunk',
    follower: 'live',
    attempt: 1,
    seq,
    stream: 'STDOUT',
    text,
    droppedBytes: null,
    ...more,
  };
}

/** The rules that a history breaks in which these events are others, or missing where undefined. */
function broken(
  change: Partial<Record<string, Details | undefined>>,
  plan: Partial<typeof PLAN> = {},
  notes: Details[] = notesOf(change.final ?? EVENTS.final),
): string[] {
  const seen = Object.values({ ...EVENTS, ...change }).filter((event) => event !== undefined);
  const there = [...seen, ...notes];
  const events = there.map((event, at) => ({ atMs: at, type: '', jobId: 'j1', ...event }));
  const { violations } = check({ plans: [{ ...PLAN, ...plan }], events });
  return [...new Set(violations.map(({ rule }) => rule))];
}

/** What the outbox has of a job that ended so, and was put back after each attempt before. */
function notesOf({ state, attempt }: Details): Details[] {
  const notes = [note('QUEUED', 0)];
  for (let at = 1; at <= Number(attempt); at++)
    notes.push(note('STARTING', at), note(at === attempt ? String(state) : 'QUEUED', at));
  return notes;
}

function note(state: string, attempt: number, isCancelRequested = false): Details {
  return { type: 'noted', state, attempt, isCancelRequested };
}

describe('the checker of a chaos run', () => {
  it('finds nothing wrong with a job that ran as it should', () => {
    expect(broken({})).toEqual([]);
  });

  it.each<[string, string[], Partial<Record<string, Details | undefined>>, Partial<typeof PLAN>?]>([
    ['is not known at the end', ['acceptedJobsEnd'], { final: undefined }],
    [
      'is denied by the service',
      ['acceptedJobsEnd'],
      { refused: { type: 'refused', observer: 'log', code: 'NOT_FOUND' } },
    ],
    [
      'never ends',
      ['acceptedJobsEnd', 'verdictIsTrue'],
      { ended: undefined, final: { ...EVENTS.final, state: 'RUNNING', reason: null, exitCode: null } },
    ],
    [
      'ends twice',
      ['endsOnce'],
      { again: { ...EVENTS.ended, state: 'FAILED', reason: 'EXIT_NONZERO', exitCode: 1 } },
    ],
    ['lives again after its end', ['movesForward'], { again: { ...EVENTS.running } }],
    [
      'goes back within an attempt',
      ['movesForward'],
      { queued: EVENTS.running, running: { ...EVENTS.running, state: 'STARTING' } },
    ],
    ['goes back to an earlier attempt', ['movesForward'], { queued: { ...EVENTS.running, attempt: 2 } }],
    [
      'is started twice in one attempt',
      ['startsAtMostOnce'],
      { again: { ...EVENTS.started, token: OTHER_TOKEN } },
    ],
    [
      'is run again though nobody asked for it',
      ['startsAtMostOnce', 'runsOnlyWhatIsTold', 'logIsExact'],
      { again: { ...EVENTS.started, attempt: 2, token: OTHER_TOKEN } },
    ],
    ['loses a chunk', ['logIsExact'], { chunk2: undefined }],
    ['has a gap in its log', ['logIsExact'], { chunk2: chunk(3, 'line 1\n') }],
    ['shows a chunk twice', ['logIsExact'], { again: chunk(2, 'line 1\n') }],
    ['has another text in its log', ['logIsExact'], { chunk2: chunk(2, 'line 2\n') }],
    ['has more in its log than it wrote', ['logIsExact'], { more: chunk(3, 'line 2\n') }],
    ['drops output', ['logIsExact'], { chunk2: chunk(2, '', { droppedBytes: 7 }) }],
    ['has a stream it did not write', ['logIsExact'], { more: chunk(3, 'oh', { stream: 'STDERR' }) }],
    ['shows the log of another job', ['logIsExact'], { chunk1: chunk(1, `start j2 1 ${TOKEN}\nline 0\n`) }],
    ['shows nothing of what it wrote', ['logIsExact'], { chunk1: undefined, chunk2: undefined }],
    ['has a damaged log', ['logIsExact'], { damage: { type: 'damage', follower: 'live', damage: 'torn' } }],
    ['failed although it ended well', ['verdictIsTrue'], failedWith('EXIT_NONZERO', 1)],
    ['is LOST although it ran', ['verdictIsTrue'], endedAs('LOST', 'RUNTIME_LOST')],
    ['has another exit code', ['verdictIsTrue'], failedWith('EXIT_NONZERO', 4), failing(3)],
    [
      'ends well although it was cancelled',
      ['cancelsAreKept'],
      { cancelled: { type: 'cancelled', state: 'RUNNING' } },
    ],
    ['outlives its deadline', ['deadlineHolds'], { ...endedAs('TIMED_OUT', 'TIMEOUT', 60_000) }, timedOut()],
    ['misses an output', ['outputsAreThere'], { final: { ...EVENTS.final, outputs: [] } }],
    [
      'has a changed output',
      ['outputsAreThere'],
      { final: { ...EVENTS.final, outputs: [{ ...OUTPUT, sha256: '0' }] } },
    ],
    [
      'downloads another file',
      ['outputsAreThere'],
      { final: { ...EVENTS.final, outputs: [{ ...OUTPUT, content: '0' }] } },
    ],
    [
      'has the output of somebody else',
      ['outputsAreThere'],
      { final: { ...EVENTS.final, outputs: [OUTPUT, { ...OUTPUT, path: 'x' }] } },
    ],
    ['succeeds without having begun', ['outputsAreThere'], { started: undefined }],
    [
      'is two jobs',
      ['submissionsAreOneJob', 'acceptedJobsEnd'],
      { twin: { ...EVENTS.accepted, jobId: 'j2' } },
    ],
    ['comes from nobody', ['strangers'], { stranger: { ...EVENTS.running, jobId: 'j3' } }],
  ])('sees that a job %s', (_, rules, change, plan = {}) => {
    expect(broken(change, plan)).toEqual(expect.arrayContaining(rules));
    expect(rules).toEqual(expect.arrayContaining(broken(change, plan)));
  });

  it.each([
    ['a leftover', 'nothingIsLeft', { type: 'leftover', what: 'container 1' }],
    [
      'a server that ends by itself',
      'serversEndWhenTold',
      { type: 'serverEnded', isExpected: false, code: 1 },
    ],
    ['a server that does not stop', 'serversStopWhenAsked', { type: 'disobeyed', server: 's' }],
    ['a run that does not end', 'runIsComplete', { type: 'unfinished', what: 'jobs' }],
  ])('sees %s', (_, rule, event) => {
    expect(broken({ event: { ...event, jobId: undefined } })).toEqual([rule]);
  });

  it('sees a run in which servers died and nothing ran', () => {
    const lives = [1, 2, 3].map((n) => ({ atMs: n, type: 'serverStarted', server: 'server-1' }));
    expect(check({ plans: [], events: lives }).violations.map(({ rule }) => rule)).toEqual(['jobsAreTaken']);
  });

  it('lets a cancelled job show what it wrote until then, and nothing else', () => {
    const plan = {
      end: { state: 'CANCELLED', reason: 'CANCELLED_BY_USER', exitCode: null },
      endsByItself: false,
    };
    const cancelled = {
      ...endedAs('CANCELLED', 'CANCELLED_BY_USER'),
      cancelled: { type: 'cancelled', state: 'RUNNING' },
    };
    expect(broken({ ...cancelled, chunk2: undefined }, plan)).toEqual([]);
    expect(broken({ ...cancelled, chunk2: chunk(2, 'line 2') }, plan)).toEqual(['logIsExact']);
  });

  it('does not expect that a job is cancelled of which the answer was that it had ended', () => {
    const plan = { end: { state: 'CANCELLED', reason: 'CANCELLED_BY_USER', exitCode: null } };
    const ended = { ...failedWith('EXIT_NONZERO', 1), cancelled: { type: 'cancelled', state: 'FAILED' } };
    // Why it had ended is another rule's question.
    expect(broken(ended, plan)).toEqual(['verdictIsTrue']);
  });

  it('lets a job run again as often as its caller asked', () => {
    const again = {
      queued: { ...EVENTS.running, state: 'QUEUED' },
      running: { ...EVENTS.running, attempt: 2 },
      again: { ...EVENTS.started, attempt: 2, token: OTHER_TOKEN },
      chunk3: chunk(1, `start j1 2 ${OTHER_TOKEN}\nline 0\nline 1\n`, { attempt: 2 }),
      ended: { ...EVENTS.ended, attempt: 2 },
      final: { ...EVENTS.final, attempt: 2, outputs: [{ ...OUTPUT, sha256: sha256(OTHER_TOKEN) }] },
    };
    expect(broken(again, { retries: 1 })).toEqual([]);
    expect(broken(again)).toEqual(['startsAtMostOnce']);
  });

  it.each([
    ['is given up after four starts that began nothing', { attempt: 4 }, [], ['j1']],
    ['is given up too early', { attempt: 3 }, ['verdictIsTrue'], []],
    ['is lost before it began', { state: 'LOST', reason: 'RUNTIME_LOST' }, ['verdictIsTrue'], []],
  ])('says what it thinks of a job that %s', (_, end, rules, permitted) => {
    const final = { ...failedWith('START_FAILED', 0).final, exitCode: null, outputs: [], ...end };
    const events = [EVENTS.accepted, final, ...notesOf(final)].map((event, at) => ({
      atMs: at,
      type: '',
      jobId: 'j1',
      ...event,
    }));
    const result = check({ plans: [PLAN], events });
    expect(result.violations.map(({ rule }) => rule)).toEqual(rules);
    expect(result.permitted).toEqual(permitted);
  });

  it.each<[string, Details[]]>([
    ['nothing', []],
    ['no beginning', [note('RUNNING', 1), note('SUCCEEDED', 1)]],
    ['no end', [note('QUEUED', 0), note('STARTING', 1), note('RUNNING', 1)]],
    ['another end', [note('STARTING', 1), note('FAILED', 1)]],
    ['a change twice', [note('STARTING', 1), note('RUNNING', 1), note('RUNNING', 1), note('SUCCEEDED', 1)]],
    ['a missing claim', [note('QUEUED', 0), note('RUNNING', 1), note('SUCCEEDED', 1)]],
    ['changes in another order', [note('RUNNING', 1), note('STARTING', 1), note('SUCCEEDED', 1)]],
    ['an attempt without a claim', [note('STARTING', 1), note('RUNNING', 1), note('SUCCEEDED', 2)]],
    ['a change after the end', [...notesOf(END), note('RUNNING', 1), note('SUCCEEDED', 1)]],
  ])('sees an outbox that has %s of a job', (_, notes) => {
    expect(broken({}, {}, notes)).toEqual(['outboxIsComplete']);
  });

  it('finds nothing wrong with an outbox that has a cancel and a retry', () => {
    const notes = [
      note('STARTING', 1),
      note('RUNNING', 1),
      note('QUEUED', 1),
      note('STARTING', 2),
      note('STARTING', 2, true),
      note('SUCCEEDED', 2, true),
    ];
    const end = { final: { ...EVENTS.final, attempt: 2 } };
    expect(broken(end, {}, notes)).not.toContain('outboxIsComplete');
  });

  it('asks of an outbox what came after it was there, over an upgrade', () => {
    const after = (isPrevious: boolean) => ({
      sent: { type: 'submitted', plan: 'chaos-1', jobId: undefined },
      up: { type: 'listening', jobId: undefined, isPrevious },
    });
    expect(broken(after(false), {}, [note('SUCCEEDED', 1)])).toEqual([]);
    expect(broken(after(false), {}, [])).toEqual([]);
    expect(broken(after(false), {}, [note('RUNNING', 1)])).toEqual(['outboxIsComplete']);
    expect(broken(after(true), {}, [note('SUCCEEDED', 1)])).toEqual(['outboxIsComplete']);
  });

  it('asks less of the log and the end of a job that met a full disk', () => {
    const disk = { disk: { type: 'fault', name: 'disk-full', lastedMs: 5, jobId: undefined } };
    const cut = { chunk2: undefined, ...failedWith('EXIT_NONZERO', 1) };
    expect(broken({ accepted: EVENTS.accepted, ...disk, ...cut })).toEqual([]);
  });
});

function endedAs(
  state: string,
  reason: string,
  wallMs = 100,
  exitCode: number | null = null,
): Record<string, Details> {
  const end = { state, reason, exitCode };
  return { ended: { ...EVENTS.ended, ...end }, final: { ...EVENTS.final, ...end, wallMs } };
}

function failedWith(reason: string, exitCode: number): Record<string, Details> {
  return endedAs('FAILED', reason, 100, exitCode);
}

function failing(exitCode: number): Partial<typeof PLAN> {
  return { end: { state: 'FAILED', reason: 'EXIT_NONZERO', exitCode } };
}

function timedOut(): Partial<typeof PLAN> {
  return { end: { state: 'TIMED_OUT', reason: 'TIMEOUT', exitCode: null }, endsByItself: false };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
