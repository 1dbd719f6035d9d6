import { describe, expect, it } from 'vitest';
import { clientAddress } from './client-address.ts';

const PEER = '10.0.0.9';
const forwarded = (...header: string[]) => ({ 'x-forwarded-for': header.join(', ') });

describe('the address of a client', () => {
  it('is that of the connection where no proxy is trusted, whatever the client writes', () => {
    expect(clientAddress(forwarded('1.1.1.1'), PEER, 0)).toBe(PEER);
  });

  it('is what the nearest proxy saw, not what the client wrote before it', () => {
    expect(clientAddress(forwarded('6.6.6.6', '1.1.1.1'), PEER, 1)).toBe('1.1.1.1');
    expect(clientAddress(forwarded('6.6.6.6', '1.1.1.1', '10.0.0.8'), PEER, 2)).toBe('1.1.1.1');
  });

  it('is the furthest that is told where proxies tell less', () => {
    expect(clientAddress(forwarded('1.1.1.1'), PEER, 3)).toBe('1.1.1.1');
    expect(clientAddress({}, PEER, 1)).toBe(PEER);
  });
});
