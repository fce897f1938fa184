import { Controller, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Caller } from '../common/caller.decorator.js';
import type { Principal } from '../common/principal.js';
import { requireScope } from '../common/principal.js';
import { DatabaseBackup } from '../database/database-backup.js';

/** The copy that `maps backup` fetches. A POST: it makes something, and a page elsewhere cannot ask for it by a link. */
@Controller('backup')
export class BackupController {
  constructor(private readonly backup: DatabaseBackup) {}

  @Post()
  async send(@Caller() caller: Principal, @Res() reply: FastifyReply): Promise<void> {
    requireScope(caller, 'service:admin');
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort(new Error('the caller has gone')));
    const { file, bytes } = await this.backup.make(gone.signal);
    if (gone.signal.aborted) return file.close();
    void reply.headers({
      'content-type': 'application/vnd.sqlite3',
      'content-length': bytes,
      'cache-control': 'no-store',
    });
    await reply.code(200).send(file.createReadStream({ start: 0 }));
  }
}
