import type { OnApplicationShutdown } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { WorkspaceSpools } from '../workspace/workspace-spools.js';
import { SpoolTail } from './spool-tail.js';

/** The one tail per workspace of this replica, for as long as somebody follows it. */
@Injectable()
export class SpoolTails implements OnApplicationShutdown {
  private readonly tails = new Map<string, SpoolTail>();

  constructor(private readonly spools: WorkspaceSpools) {}

  /** Runs `use` with the tail; it is closed when its last user is done. */
  async with<T>(workspaceId: string, use: (tail: SpoolTail) => Promise<T>): Promise<T> {
    const tail = this.acquire(workspaceId);
    try {
      return await use(tail);
    } finally {
      await this.release(workspaceId, tail);
    }
  }

  acquire(workspaceId: string): SpoolTail {
    const tail = this.tails.get(workspaceId) ?? new SpoolTail(this.spools, workspaceId);
    this.tails.set(workspaceId, tail);
    tail.followers += 1;
    return tail;
  }

  async release(workspaceId: string, tail: SpoolTail): Promise<void> {
    tail.followers -= 1;
    if (tail.followers > 0) return;
    this.tails.delete(workspaceId);
    await tail.close();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.tails.values()].map((tail) => tail.close()));
  }
}
