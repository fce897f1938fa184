import { describe, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import { createDockerClient, toClientOptions } from './docker-client.js';

describe('toClientOptions', () => {
  it.each([
    ['unix:///run/user/1000/docker.sock', { socketPath: '/run/user/1000/docker.sock', protocol: 'http' }],
    ['tcp://10.0.0.1:2375', { host: '10.0.0.1', port: '2375', protocol: 'http' }],
    ['tcp://10.0.0.1', { host: '10.0.0.1', port: '2375', protocol: 'http' }],
    ['tcp://10.0.0.1:2376', { host: '10.0.0.1', port: '2376', protocol: 'https' }],
    ['https://engine.example', { host: 'engine.example', port: '2376', protocol: 'https' }],
    ['http://engine.example:1234', { host: 'engine.example', port: '1234', protocol: 'http' }],
    ['tcp://[::1]:2375', { host: '::1', port: '2375', protocol: 'http' }],
  ])('reads %s', (dockerHost, expected) => {
    expect(toClientOptions(dockerHost)).toMatchObject(expected);
  });
});

describe('createDockerClient', () => {
  it('has an agent that costs nothing to render, as the library does for every request', () => {
    const client = createDockerClient('unix:///nowhere.sock');
    const { agent } = client.docker.modem as unknown as { agent: object };
    expect(inspect({ agent }, { showHidden: true, depth: null })).toBe('{ agent: Agent }');
    client.close();
  });
});
