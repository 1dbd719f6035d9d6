/** Text can be read on everything that it stands on, in both themes: at least 4.5 : 1, as WCAG 2 asks for. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

type Color = { readonly red: number; readonly green: number; readonly blue: number; readonly alpha: number };
type Theme = 'light' | 'dark';

const LEAST = 4.5;
const css = readFileSync(join(import.meta.dirname, 'tokens.css'), 'utf8');

/** `--name: light-dark(#rrggbb, #rrggbbaa)`. */
function token(name: string, theme: Theme): Color {
  const [, light = '', dark = ''] =
    new RegExp(`--${name}: light-dark\\((#[0-9a-f]+), (#[0-9a-f]+)\\)`).exec(css) ?? [];
  const hex = (theme === 'light' ? light : dark).slice(1);
  const [red = 0, green = 0, blue = 0, alpha = 255] = (hex.match(/../g) ?? []).map((two) =>
    Number.parseInt(two, 16),
  );
  return { red, green, blue, alpha: alpha / 255 };
}

function over(top: Color, below: Color): Color {
  const mix = (a: number, b: number) => a * top.alpha + b * (1 - top.alpha);
  return {
    ...{ red: mix(top.red, below.red), green: mix(top.green, below.green), blue: mix(top.blue, below.blue) },
    alpha: 1,
  };
}

function luminance({ red, green, blue }: Color): number {
  const linear = (part: number) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function contrast(a: Color, b: Color): number {
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((one, other) => one - other);
  return (high + 0.05) / (low + 0.05);
}

/** Tones of badges and chips, each with the area that lies under its text. */
const TONES = ['ok', 'info', 'warn', 'bad', 'anomaly', 'accent'];
const TEXTS = [...TONES, 'text', 'muted'];
const GROUNDS = ['bg', 'surface', 'sunken', 'raised'];
/** Of rows under the pointer. */
const HOVERED = ['surface'];

test.each(['light', 'dark'] as const)('badges and texts can be read in the %s theme', (theme) => {
  const short: string[] = [];
  const check = (text: string, on: string, ground: Color) => {
    const ratio = contrast(token(text, theme), ground);
    if (!(ratio >= LEAST)) short.push(`${text} on ${on}: ${ratio.toFixed(2)}`);
  };
  for (const ground of GROUNDS) {
    const bare = [ground, token(ground, theme)] as const;
    const hovered = [`hovered ${ground}`, over(token('accent-area', theme), bare[1])] as const;
    for (const [on, below] of HOVERED.includes(ground) ? [bare, hovered] : [bare]) {
      for (const text of TEXTS) check(text, on, below);
      for (const tone of TONES) check(tone, `its area on ${on}`, over(token(`${tone}-area`, theme), below));
    }
  }
  expect(short).toEqual([]);
});
