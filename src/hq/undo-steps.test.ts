import { EMPTY, NEVER, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../platform/clock.ts';
import { createUndoSteps } from './undo-steps.ts';

function steps() {
  const done: string[] = [];
  const left: string[] = [];
  const undo = createUndoSteps(createSystemClock(), (step) => left.push(step));
  return { done, left, undo };
}

describe('ending what was started', () => {
  it('goes backwards, and waits for each', async () => {
    const { done, left, undo } = steps();
    undo.push('plain', () => void done.push('plain'));
    undo.push('promise', async () => {
      await Promise.resolve();
      done.push('promise');
    });
    undo.push('empty', () => EMPTY);
    undo.push('values', () => of(1, 2));
    await undo.runAll(1000);
    expect([done, left]).toEqual([['promise', 'plain'], []]);
  });

  it('leaves a step that fails or hangs, and goes on', async () => {
    const { done, left, undo } = steps();
    undo.push('first', () => void done.push('first'));
    undo.push('hangs', () => NEVER);
    undo.push('fails', () => throwError(() => new Error('no')));
    undo.push('throws', () => {
      throw new Error('no');
    });
    await undo.runAll(100);
    expect(left).toEqual(['throws', 'fails', 'hangs']);
    expect(done).toEqual(['first']);
  });

  it('happens once', async () => {
    const { done, undo } = steps();
    undo.push('one', () => void done.push('one'));
    await Promise.all([undo.runAll(100), undo.runAll(100)]);
    await undo.runAll(100);
    expect(done).toEqual(['one']);
  });
});
