/**
 * A waiting worker touches a file every two seconds. This bound is generous: a loaded machine is slow, and network file
 * systems show times some seconds late.
 */
const SILENT_MS = 20_000;

/** Whether a worker is alive. Only changes of the file's time count: it may be set by another machine's clock. */
export class Heartbeat {
  private touchedAtMs: number | undefined;

  /** `nowMs` is always of one clock that is never set, milliseconds. */
  constructor(private changedAtMs: number) {}

  /** Takes the file's present time; undefined when it cannot be read. */
  note(touchedAtMs: number | undefined, nowMs: number): void {
    if (touchedAtMs === undefined || touchedAtMs === this.touchedAtMs) return;
    this.touchedAtMs = touchedAtMs;
    this.changedAtMs = nowMs;
  }

  isSilent(nowMs: number): boolean {
    return nowMs - this.changedAtMs > SILENT_MS;
  }
}
