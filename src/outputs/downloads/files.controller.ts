import { Controller, Get, Headers, HttpException, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Caller } from '../../common/caller.decorator.js';
import type { Principal } from '../../common/principal.js';
import { toByteRange } from './byte-range.js';
import { UNTRUSTED_HEADERS, attachment } from './download-headers.js';
import type { HeldOutput } from './job-files.service.js';
import { JobFilesService } from './job-files.service.js';

interface RangeHeaders {
  range?: string;
  'if-range'?: string;
  'if-none-match'?: string;
}

@Controller('jobs/:id')
export class FilesController {
  constructor(private readonly files: JobFilesService) {}

  @Get('logs.txt')
  async log(@Caller() caller: Principal, @Param('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    const text = await this.files.logText(caller, id);
    await reply.headers({ ...UNTRUSTED_HEADERS, 'content-type': 'text/plain; charset=utf-8' }).send(text);
  }

  @Get('outputs.zip')
  async zip(@Caller() caller: Principal, @Param('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    const zip = await this.files.zip(caller, id);
    const headers = { 'content-type': 'application/zip', 'content-disposition': attachment(`${id}.zip`) };
    await reply.headers({ ...UNTRUSTED_HEADERS, ...headers }).send(zip);
  }

  @Get('outputs/*')
  async output(
    @Caller() caller: Principal,
    @Param('id') id: string,
    @Param('*') path: string,
    @Headers() headers: RangeHeaders,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const output = await this.files.output(caller, id, path);
    try {
      await send(output, headers, reply);
    } catch (error) {
      output.release();
      throw error;
    }
  }
}

async function send(output: HeldOutput, headers: RangeHeaders, reply: FastifyReply): Promise<void> {
  const { row, name } = output;
  const etag = `"${row.sha256}"`;
  void reply.headers({
    ...UNTRUSTED_HEADERS,
    etag,
    'accept-ranges': 'bytes',
    'last-modified': new Date(row.modifiedAtMs).toUTCString(),
    'content-type': row.contentType,
    'content-disposition': attachment(name),
  });
  if (headers['if-none-match'] === etag) {
    output.release();
    return void (await reply.code(304).send());
  }
  const isFresh = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = toByteRange(isFresh ? headers.range : undefined, row.size);
  if (range.kind === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${row.size}`);
    throw new HttpException('This range is not in the file.', 416);
  }
  const { start, end } = range.kind === 'part' ? range : { start: 0, end: row.size - 1 };
  // An empty file has no byte to begin at.
  const content = await output.open(row.size === 0 ? undefined : { start, end });
  if (range.kind === 'part')
    void reply.code(206).header('content-range', `bytes ${start}-${end}/${row.size}`);
  try {
    await reply.header('content-length', end - start + 1).send(content);
  } finally {
    // Of a caller that went away it may not have been read to its end.
    content.destroy();
  }
}
