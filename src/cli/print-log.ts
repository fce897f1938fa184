import type { JobLogEvent, LogChunk } from '../client/api-types.js';
import type { Terminal } from './terminal.js';

/** Writes a log as the script wrote it: each stream to its own, nothing added between; gaps are said on stderr. */
export class LogPrinter {
  private attempt: number | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly asJson: boolean,
  ) {}

  async print({ chunks, damage }: Pick<JobLogEvent, 'chunks' | 'damage'>): Promise<void> {
    for (const chunk of chunks) await this.printChunk(chunk);
    if (damage) this.terminal.note(`The rest of this log cannot be read: ${damage}`);
  }

  private async printChunk(chunk: LogChunk): Promise<void> {
    if (this.asJson) return this.terminal.json({ chunk });
    if (this.attempt !== undefined && chunk.attempt !== this.attempt)
      this.terminal.note(`attempt ${chunk.attempt}`);
    this.attempt = chunk.attempt;
    if (chunk.droppedBytes) {
      await this.terminal.errorData(`[${chunk.droppedBytes} bytes of output are missing here]\n`);
    }
    if (chunk.stream === 'STDOUT') await this.terminal.data(chunk.text);
    else await this.terminal.errorData(chunk.text);
  }
}
