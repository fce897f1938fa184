import { abortable } from '../../common/abort.js';

/** Remembers that it rang until somebody has heard it; ringing again before that changes nothing. */
export class Bell {
  private rang = false;
  private fault?: Error;
  private wake: () => void = () => undefined;

  ring(): void {
    this.rang = true;
    this.wake();
  }

  /** It will not ring any more: whoever listens is told why. */
  fail(fault: Error): void {
    this.fault = fault;
    this.wake();
  }

  /** Resolves at once if it rang since it was heard last, else when it rings. For one listener. */
  async heard(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!this.rang && !this.fault) {
      await abortable(new Promise<void>((resolve) => (this.wake = resolve)), signal);
    }
    if (this.fault) throw this.fault;
    this.rang = false;
  }
}
