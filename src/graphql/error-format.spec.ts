import { describe, expect, it } from '@jest/globals';
import { GraphQLError } from 'graphql';
import { AppError, BadInputError, ERROR_CODES } from '../common/app-error.js';
import { formatError, isUnexpected } from './error-format.js';

const format = (error: GraphQLError) => formatError(error, error, 'id-1');
const thrown = (originalError: Error): GraphQLError =>
  new GraphQLError(originalError.message, { originalError, path: ['job'] });

describe('an error on its way out', () => {
  it('keeps message, code, field and retry of an expected failure', () => {
    const { message, extensions } = format(
      thrown(new AppError('QUEUE_FULL', 'full', { retryAfterMs: 5, field: 'f' })),
    );
    expect({ message, extensions }).toEqual({
      message: 'full',
      extensions: { code: 'QUEUE_FULL', requestId: 'id-1', retryAfterMs: 5, field: 'f' },
    });
  });

  it('shows nothing of an unexpected one but where to look it up', () => {
    const error = thrown(new Error('connect ECONNREFUSED 10.0.0.1 select * from jobs'));
    expect(isUnexpected(error)).toBe(true);
    const formatted = format(error);
    expect(formatted.extensions?.code).toBe('INTERNAL_SERVER_ERROR');
    expect(JSON.stringify(formatted)).not.toMatch(/ECONN|10\.0|select/);
    expect(formatted.message).toContain('id-1');
  });

  it('hides the message of an internal AppError and of unknown codes', () => {
    expect(format(thrown(new AppError('INTERNAL_SERVER_ERROR', 'secret'))).message).not.toContain('secret');
    expect(format(new GraphQLError('secret', { extensions: { code: 'ECONNRESET' } })).message).not.toContain(
      'secret',
    );
  });

  it('keeps the library’s word on the request itself', () => {
    const syntax = new GraphQLError('Syntax Error', {
      extensions: { code: 'GRAPHQL_PARSE_FAILED' },
      originalError: new GraphQLError('inner'),
    });
    expect(format(syntax)).toMatchObject({
      message: 'Syntax Error',
      extensions: { code: 'GRAPHQL_PARSE_FAILED' },
    });
    expect(format(new GraphQLError('Cannot query field'))).toMatchObject({
      extensions: { code: 'GRAPHQL_VALIDATION_FAILED' },
    });
    expect(isUnexpected(thrown(new BadInputError('x')))).toBe(false);
  });

  it('has a code from the documented list', async () => {
    const { readFile } = await import('node:fs/promises');
    const documented = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    for (const code of ERROR_CODES) expect(documented).toContain(`\`${code}\``);
  });
});
