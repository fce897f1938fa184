import { describe, expect, it } from '@jest/globals';
import { fastify } from 'fastify';
import { answerFrameworkError } from './framework-errors.js';

describe('an address that is no URL', () => {
  it.each(['/jobs/%ff/logs.txt', '/jobs/%zz/outputs.zip', '/jobs/a/outputs/%ff', `/jobs/${'x'.repeat(101)}`])(
    'is answered in the shape of all errors: %s',
    async (url) => {
      const server = fastify({ frameworkErrors: answerFrameworkError, genReqId: () => 'the-id' });
      for (const route of ['/jobs/:id', '/jobs/:id/logs.txt', '/jobs/:id/outputs.zip', '/jobs/:id/outputs/*'])
        server.get(route, () => 'found');
      const answer = await server.inject(url);
      expect(answer.statusCode).toBe(url.includes('%') ? 400 : 414);
      expect(answer.json()).toEqual({
        errors: [
          {
            message: 'The address is malformed or too long.',
            extensions: { code: 'BAD_USER_INPUT', requestId: 'the-id' },
          },
        ],
      });
      await server.close();
    },
  );
});
