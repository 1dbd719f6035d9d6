/** How the bytes of a link travel. */
export type Transport = 'websocket' | 'polling';

/** As a setting; `auto`: by WebSocket, and by polling where none gets through. */
export const TRANSPORTS = ['websocket', 'polling', 'auto'] as const;
export type TransportSetting = (typeof TRANSPORTS)[number];
