import { Controller, Get, Headers, HttpException, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Caller } from '../common/caller.decorator.js';
import type { Principal } from '../common/principal.js';
import { toByteRange } from './byte-range.js';
import { UNTRUSTED_HEADERS, attachment } from './download-headers.js';
import type { OpenOutput } from './job-files.service.js';
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
    const output = await this.files.openOutput(caller, id, path);
    try {
      await send(output, headers, reply);
    } catch (error) {
      await output.file.close();
      throw error;
    }
  }
}

async function send(
  { row, file, name }: OpenOutput,
  headers: RangeHeaders,
  reply: FastifyReply,
): Promise<void> {
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
    await file.close();
    return void (await reply.code(304).send());
  }
  const isFresh = headers['if-range'] === undefined || headers['if-range'] === etag;
  const range = toByteRange(isFresh ? headers.range : undefined, row.size);
  if (range.kind === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${row.size}`);
    throw new HttpException('This range is not in the file.', 416);
  }
  const [start, end] = range.kind === 'part' ? [range.start, range.end] : [0, row.size - 1];
  if (range.kind === 'part')
    void reply.code(206).header('content-range', `bytes ${start}-${end}/${row.size}`);
  void reply.header('content-length', end - start + 1);
  // An empty file has no byte to begin at.
  await reply.send(row.size === 0 ? (await file.close(), '') : file.createReadStream({ start, end }));
}
