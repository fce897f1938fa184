import { describe, expect, it } from '@jest/globals';
import { EngineStatusError } from './engine.errors.js';
import { toCreateFailure, toImageHint, toStartFailure } from './start-failure.js';

describe('toCreateFailure', () => {
  it('takes 404 for a missing image, with the command that gets it', () => {
    expect(toCreateFailure(new EngineStatusError(404, 'No such image'), 'py-exec:latest')).toEqual({
      kind: 'imageUnavailable',
      message: "The runner image py-exec:latest is not on the engine's machine.",
      hint: 'docker build --target latest -t py-exec:latest runner-image',
      retryable: false,
    });
  });

  it('takes 400 for a refusal that stays, and 500 for trouble that may pass', () => {
    expect(toCreateFailure(new EngineStatusError(400, 'no'), 'i')).toMatchObject({
      kind: 'refused',
      retryable: false,
    });
    expect(toCreateFailure(new EngineStatusError(500, 'no'), 'i')).toMatchObject({
      kind: 'failed',
      retryable: true,
    });
  });
});

describe('toStartFailure', () => {
  it('takes 404 for a container that was removed, not for a missing image', () => {
    expect(toStartFailure(new EngineStatusError(404, 'No such container'))).toMatchObject({ kind: 'failed' });
  });
});

describe('toImageHint', () => {
  it.each([
    ['py-exec', 'docker build --target latest -t py-exec runner-image'],
    ['py-exec:slim', 'docker build --target slim -t py-exec:slim runner-image'],
    ['registry.example/py-exec:slim', 'docker pull registry.example/py-exec:slim'],
    ['python:3.13', 'docker pull python:3.13'],
  ])('knows how to get %s', (image, hint) => {
    expect(toImageHint(image)).toBe(hint);
  });
});
