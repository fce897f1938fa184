import type { Context } from './context.js';
import { EXIT } from './exit-codes.js';
import { toErrorText } from './error-text.js';

/** Ctrl-C while a job is followed: the first press cancels the job and goes on following, the second one leaves. */
export class CancelOnInterrupt {
  private jobId: string | undefined;
  private isPressed = false;

  constructor(private readonly context: Context) {
    process.on('SIGINT', this.press);
  }

  /** From now on there is a job to cancel; at once, when the press came while it was being sent. */
  watch(jobId: string): void {
    this.jobId = jobId;
    if (this.isPressed) this.cancel(jobId);
  }

  dispose(): void {
    process.off('SIGINT', this.press);
  }

  private readonly press = (): void => {
    const { terminal } = this.context;
    if (this.isPressed) {
      if (this.jobId) terminal.note(`Left. How the job ends is shown by: maps get ${this.jobId}`);
      process.exit(EXIT.interrupted);
    }
    this.isPressed = true;
    if (this.jobId) this.cancel(this.jobId);
  };

  private cancel(jobId: string): void {
    const { api, terminal } = this.context;
    terminal.note('Cancelling the job. Press Ctrl-C again to leave without waiting for its end.');
    api.cancel(jobId).catch((error: unknown) => process.stderr.write(toErrorText(error)));
  }
}
