import { describe, expect, it } from '@jest/globals';
import { RuntimeUnavailableError } from '../runtime.errors.js';
import { EngineStatusError, toEngineError, toUnavailable } from './engine.errors.js';

const answered = (statusCode: number, message: string): Error =>
  Object.assign(new Error(`(HTTP code ${statusCode})`), { statusCode, json: { message } });

describe('toEngineError', () => {
  it('keeps the status and the words of an answer', () => {
    const error = toEngineError(answered(409, 'the name is taken'));
    expect(error).toBeInstanceOf(EngineStatusError);
    expect(error).toMatchObject({ status: 409, message: 'the name is taken' });
  });

  it('takes no answer, and that of a gateway, for an engine that is away', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    expect(toEngineError(refused)).toBeInstanceOf(RuntimeUnavailableError);
    for (const status of [502, 503, 504]) {
      expect(toEngineError(answered(status, 'bad gateway'))).toBeInstanceOf(RuntimeUnavailableError);
    }
  });

  it('says nothing of the engine in a message that leaves this folder', () => {
    expect(toUnavailable(answered(500, 'mkdir /var/lib/docker: no space left')).message).not.toContain(
      '/var',
    );
  });
});
