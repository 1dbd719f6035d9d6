import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The dashboard as static files that HQ serves: relative addresses, nothing fetched from another host. */
export default defineConfig({
  root: 'src/dashboard',
  base: './',
  plugins: [react()],
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    // Fonts and pictures as data: addresses would need a looser content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
});
