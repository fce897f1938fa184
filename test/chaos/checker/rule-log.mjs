import { FIRST_LINE } from '../scenario/script.mjs';
import { ofType, startsOf } from './records.mjs';

/** Each follower gets what the script wrote, byte for byte and every chunk once. */
export function logIsExact(record) {
  const followers = new Set(ofType(record, 'chunk').map(({ follower }) => follower));
  for (const { follower } of ofType(record, 'logEnd')) followers.add(follower);
  return [...followers].flatMap((follower) => {
    const chunks = ofType(record, 'chunk').filter((chunk) => chunk.follower === follower);
    const isEnded = ofType(record, 'logEnd').some((end) => end.follower === follower);
    return followerFaults(record, chunks, isEnded).map((fault) => `${follower}: ${fault}`);
  });
}

function followerFaults(record, chunks, isEnded) {
  const damage = ofType(record, 'damage').map((event) => `the log is damaged: ${event.damage}`);
  const attempts = [...new Set(chunks.map(({ attempt }) => attempt))];
  const faults = [...damage, ...orderFaults(chunks), ...missingAttempts(record, attempts, isEnded)];
  for (const attempt of attempts) {
    const ofAttempt = chunks.filter((chunk) => chunk.attempt === attempt);
    faults.push(...seqFaults(ofAttempt), ...textFaults(record, attempt, ofAttempt, isEnded));
  }
  return faults;
}

function orderFaults(chunks) {
  const at = chunks.findIndex((chunk, index) => index > 0 && chunk.attempt < chunks[index - 1].attempt);
  return at < 0 ? [] : [`attempt ${chunks[at].attempt} came after attempt ${chunks[at - 1].attempt}`];
}

function missingAttempts(record, attempts, isEnded) {
  if (!isEnded || record.isDiskTouched) return [];
  const missing = startsOf(record).filter(({ attempt }) => !attempts.includes(attempt));
  return missing.map(({ attempt }) => `nothing came of attempt ${attempt}, which ran`);
}

/** 1, 2, 3 …: a gap is a loss, a repetition a double. */
function seqFaults(chunks) {
  const at = chunks.findIndex(({ seq }, index) => seq !== index + 1);
  return at < 0
    ? []
    : [`attempt ${chunks[at].attempt}: chunk ${chunks[at].seq} came where ${at + 1} was due`];
}

function textFaults(record, attempt, chunks, isEnded) {
  const dropped = chunks.filter(({ droppedBytes }) => droppedBytes !== null && droppedBytes !== undefined);
  // The runner counts what a full disk did not take; that is the one way to lose output, and it is told.
  if (record.isDiskTouched) return [];
  if (dropped.length > 0) return [`attempt ${attempt}: ${dropped[0].droppedBytes} bytes were dropped`];
  const isWhole = isEnded && record.plan.endsByItself && !isCutOff(record, attempt);
  return ['STDOUT', 'STDERR'].flatMap((stream) => {
    const text = chunks
      .filter((chunk) => chunk.stream === stream)
      .map((chunk) => chunk.text)
      .join('');
    const fault = streamFault(record, attempt, stream, text, isWhole);
    return fault ? [`attempt ${attempt}, ${stream}: ${fault}`] : [];
  });
}

/** A job that was cancelled, or whose workload was lost, shows what it wrote until then. */
function isCutOff({ final }, attempt) {
  return (
    final !== undefined &&
    final.attempt === attempt &&
    ['CANCELLED', 'LOST', 'TIMED_OUT'].includes(final.state)
  );
}

function streamFault(record, attempt, stream, text, isWhole) {
  const { plan, jobId } = record;
  let rest = text;
  if (stream === 'STDOUT') {
    const [line, id, number] = FIRST_LINE.exec(text) ?? [];
    if (line === undefined) return isWhole || text.includes('\n') ? 'its first line is not there' : undefined;
    if (id !== jobId || Number(number) !== attempt) return `it is the log of ${id}, attempt ${number}`;
    rest = text.slice(line.length);
  }
  const expected = stream === 'STDOUT' ? plan.stdout : plan.stderr;
  if (isWhole ? rest === expected : expected.startsWith(rest)) return undefined;
  return difference(rest, expected);
}

function difference(text, expected) {
  let at = 0;
  while (at < text.length && text[at] === expected[at]) at += 1;
  const near = (from) => JSON.stringify(from.slice(Math.max(0, at - 20), at + 40));
  return `at character ${at} of ${expected.length} it has ${near(text)} in place of ${near(expected)}`;
}
