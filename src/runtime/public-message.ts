import { isIPv6 } from 'node:net';
import { hostname } from 'node:os';
import type { EngineText, WorkloadExit } from './runtime-provider.js';

const MAX_MESSAGE_LENGTH = 500;
/** More is not looked at: an engine may pass on whatever a registry or a webhook answered. */
const MAX_TEXT_LENGTH = 4_000;

/** Folders as the script sees them; every other absolute path is one of a machine. */
const OF_SCRIPT = /^\/(?:input|output|job|spool|work)(?:\/|$)/;
const URL = /[a-z][a-z0-9+.-]*:\/\/[^\s"'`<>)]+/gi;
/** In quotes a path may have spaces; without, it goes on over a space where the next word still has a slash. */
const QUOTED_PATH = /(["'`])(\/[^"'`]+)\1/g;
const PATH =
  /(?<![\p{L}\p{N}_.\-/@%+~])\/[^\s"'`),:;\]}>|]*[^\s"'`),:;\]}>|.](?: [^\s"'`):;]*\/[^\s"'`):;]*)*/gu;
const IPV4 = /(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?:[:/]\d+)?(?!\.?\d)/g;
/** Or a time of day, or something of a language: `isIPv6` tells. */
const MAYBE_IPV6 = /(?<![\w:.])\[?([0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f:.]*)(?:%\w+)?(?:\]:\d+|\])?/gi;
/** What is known of every machine. */
const NO_NAMES = new Set(['', 'localhost']);

/**
 * What a job's owner is told of an engine's words: one bounded line without paths, addresses and names of the machines
 * that run the service and its jobs. The one gate for all runtimes; the words themselves are for the log.
 */
export function publicMessage({ message, machine = '' }: EngineText): string {
  return publicText(message, [hostname(), machine]);
}

/** The engine's words in an exit, if there are any. */
export function engineTextOf(exit: WorkloadExit): EngineText | undefined {
  if (exit.kind === 'startFailed') return exit.failure;
  return 'message' in exit ? exit : undefined;
}

/** Pure. `machines` are names of hosts that the text must not have. */
export function publicText(text: string, machines: readonly string[]): string {
  const line = text
    .slice(0, MAX_TEXT_LENGTH)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  const placeless = line
    .replace(URL, '…')
    .replace(QUOTED_PATH, (said, quote: string, path: string) =>
      OF_SCRIPT.test(path) ? said : `${quote}…${quote}`,
    )
    .replace(PATH, (path) => (OF_SCRIPT.test(path) ? path : '…'))
    .replace(IPV4, '…')
    .replace(MAYBE_IPV6, withoutIpv6);
  const nameless = machines.reduce(withoutMachine, placeless);
  return nameless.length <= MAX_MESSAGE_LENGTH ? nameless : `${nameless.slice(0, MAX_MESSAGE_LENGTH - 1)}…`;
}

function withoutIpv6(said: string, address: string): string {
  if (isIPv6(address)) return '…';
  // A colon may end what the address begins.
  return isIPv6(address.slice(0, -1)) ? `…${address.slice(-1)}` : said;
}

/** Its domain goes with it, and a name without its domain too. */
function withoutMachine(text: string, machine: string): string {
  const [name = ''] = machine.split('.');
  if (NO_NAMES.has(name)) return text;
  const escaped = name.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return text.replace(
    new RegExp(`(?<![\\p{L}\\p{N}_-])${escaped}(?:\\.[\\p{L}\\p{N}_-]+)*(?![\\p{L}\\p{N}_-])`, 'giu'),
    '…',
  );
}
