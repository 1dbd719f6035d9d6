/** A real browser for tests, and what it must never do. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Locator, type Page } from 'playwright-core';
import { build } from 'vite';
import { onTestFinished } from 'vitest';
import { root } from './holdfast.ts';

/** Debian's Chromium. */
export const CHROMIUM = '/usr/bin/chromium';
/** In CI a missing browser is a failure, elsewhere a reason to skip. */
export const canBrowse = existsSync(CHROMIUM) || process.env.CI === 'true';

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** Builds the dashboard of the working tree into `folder`. */
export async function buildDashboard(folder: string): Promise<void> {
  await build({
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
}

export type Browsing = {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors and warnings of the console, and exceptions; those that `expected` matches are left out. */
  readonly complaints: string[];
  /** Hosts that were asked for anything, WebSockets included. */
  readonly hosts: Set<string>;
  /** Saves a picture into test-results/. */
  readonly shoot: (name: string, options?: { readonly fullPage?: boolean }) => Promise<void>;
};

/** For what hangs: how long a page takes says only how busy the machine is. */
const DEADLINE_MS = 240_000;

/** Opens a window that closes when the test ends. */
export async function browse(options: { readonly expected?: RegExp } = {}): Promise<Browsing> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  onTestFinished(() => browser.close());
  const context = await browser.newContext({ viewport: { width: 1360, height: 860 }, colorScheme: 'light' });
  const page = await context.newPage();
  page.setDefaultTimeout(DEADLINE_MS);
  const complaints: string[] = [];
  const hosts = new Set<string>();
  const complain = (text: string) => {
    if (!(options.expected?.test(text) ?? false)) complaints.push(text);
  };
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(message.text());
  });
  page.on('pageerror', (error) => complain(error.message));
  page.on('request', (request) => hosts.add(new URL(request.url()).host));
  page.on('websocket', (socket) => hosts.add(new URL(socket.url()).host));
  const pictures = join(root, 'test-results');
  mkdirSync(pictures, { recursive: true });
  return {
    context,
    page,
    complaints,
    hosts,
    shoot: async (name, { fullPage = false } = {}) => {
      await page.screenshot({ path: join(pictures, `dashboard-${name}.png`), fullPage });
    },
  };
}

/** Elements of a part of the page that hold more than they have room for, by their text. */
export function cutOff(part: Locator): Promise<readonly string[]> {
  return part.evaluate((element) =>
    [element, ...element.querySelectorAll('*')]
      .filter(({ clientWidth, scrollWidth }) => clientWidth > 0 && scrollWidth > clientWidth)
      .map(({ textContent }) => textContent ?? ''),
  );
}
