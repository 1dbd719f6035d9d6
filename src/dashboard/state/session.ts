/** The operator's token, kept for the life of the browser tab, and what was refused for want of it. */
import { state } from '@react-rxjs/core';
import { BehaviorSubject, distinctUntilChanged } from 'rxjs';

const KEY = 'holdfast.token';

/** Storage may be forbidden by the browser: the token then lives in memory alone. */
function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

const token = new BehaviorSubject<string | null>(stored());
const refusal = new BehaviorSubject<string | null>(null);

/** The token, or null before one was given. */
export const token$ = token.asObservable();
export const currentToken = (): string | null => token.getValue();

/** Why HQ wants a token; null while it does not. */
export const refusal$ = state(refusal.pipe(distinctUntilChanged()), null);

export function setToken(value: string): void {
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // Kept in memory below.
  }
  refusal.next(null);
  token.next(value);
}

/** Asks the person for a token. `message` is HQ's reason. */
export function reportUnauthorized(message: string): void {
  refusal.next(message);
}

/** Closes the question; reading goes on where HQ allows it without a token. */
export function dismissRefusal(): void {
  refusal.next(null);
}
