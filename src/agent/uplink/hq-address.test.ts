import { describe, expect, it } from 'vitest';
import { addressProblem, pageAddress, shownAddress, socketAddress } from './hq-address.ts';

describe('an address of HQ', () => {
  it.each(['http://hq', 'https://hq.example.net:8443', 'https://host/some/prefix', 'http://[::1]:8000/'])(
    'may be %s',
    (address) => expect(addressProblem(address)).toBeNull(),
  );

  it.each(['hq', 'ftp://hq', 'http:hq', 'javascript:alert(1)', '', 'http://'])('cannot be "%s"', (address) =>
    expect(addressProblem(address)).toContain('begins with http:// or https://'),
  );

  it.each([
    ['hq:8000', 'got "hq:8000"'],
    ['', 'got none'],
    ['http://hq:99999', 'got "http://hq:99999"; a port is at most 65535'],
    ['http://a:1 http://b:1', '--hq more than once'],
  ])('"%s" is shown with what is wrong: %s', (address, says) =>
    expect(addressProblem(address)).toContain(says),
  );

  it.each(['joe:s3cret@hq', 'http://joe:s3cret@hq:99999', 'hq?token=s3cret'])(
    'that cannot be read may hold a secret: %s',
    (address) => expect(addressProblem(address)).not.toContain('s3cret'),
  );

  it.each(['http://joe:s3cret@hq', 'http://s3cret@hq/', 'https://hq/?token=s3cret', 'https://hq/#s3cret'])(
    'must not hold a secret: %s',
    (address) => {
      expect(addressProblem(address)).toContain('--token-file');
      expect(addressProblem(address)).not.toContain('s3cret');
      expect(shownAddress(address)).not.toContain('s3cret');
      expect(shownAddress(address)).toContain('://hq');
    },
  );

  it('is shown as it was given', () => expect(shownAddress('http://HQ:80')).toBe('http://HQ:80'));

  it.each([
    ['http://hq:8000', 'http://hq:8000/agents', '/socket.io/', 'http://hq:8000/healthz'],
    ['http://hq/', 'http://hq/agents', '/socket.io/', 'http://hq/healthz'],
    ['https://h/some/prefix', 'https://h/agents', '/some/prefix/socket.io/', 'https://h/some/prefix/healthz'],
    ['https://h/prefix/', 'https://h/agents', '/prefix/socket.io/', 'https://h/prefix/healthz'],
  ])('%s keeps its path', (address, url, path, page) => {
    expect(socketAddress(address)).toEqual({ url, path });
    expect(pageAddress(address, 'healthz')).toBe(page);
  });
});
