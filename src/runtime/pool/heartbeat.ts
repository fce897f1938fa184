/**
 * A worker that waits touches a file every two seconds. Generous: a loaded machine is slow, and network file systems show
 * times some seconds late.
 */
const SILENT_MS = 20_000;

/** Whether a worker answers. Only changes of the file's time count: the clock that sets it may be another machine's. */
export class Heartbeat {
  private touchedAtMs: number | undefined;

  /** Times of `nowMs` are milliseconds of a clock that is never set. */
  constructor(private changedAtMs: number) {}

  /** The file's time as it is seen now; undefined when it cannot be seen. */
  note(touchedAtMs: number | undefined, nowMs: number): void {
    if (touchedAtMs === undefined || touchedAtMs === this.touchedAtMs) return;
    this.touchedAtMs = touchedAtMs;
    this.changedAtMs = nowMs;
  }

  isSilent(nowMs: number): boolean {
    return nowMs - this.changedAtMs > SILENT_MS;
  }
}
