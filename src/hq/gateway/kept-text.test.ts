import { expect, it } from 'vitest';
import { keepText } from './kept-text.ts';

function rig() {
  const made: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
  let now = 0;
  const text = keepText({ precise: () => now }, () => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    made.push({ resolve, reject });
    return promise;
  });
  return {
    text,
    made,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

it('is made once for all who ask meanwhile, and again after nine times what it took', async () => {
  const { text, made, pass } = rig();
  const asked = [text(), text(), text()];
  pass(100);
  expect(made).toHaveLength(1);
  made[0]?.resolve('first');
  expect(await Promise.all(asked)).toEqual(['first', 'first', 'first']);
  pass(899);
  expect(await text()).toBe('first');
  pass(1);
  const second = text();
  expect(made).toHaveLength(2);
  made[1]?.resolve('second');
  expect(await second).toBe('second');
});

it('that could not be made is made again for the next', async () => {
  const { text, made } = rig();
  const asked = text();
  made[0]?.reject(new Error('no'));
  await expect(asked).rejects.toThrow('no');
  const again = text();
  made[1]?.resolve('yes');
  expect(await again).toBe('yes');
});
