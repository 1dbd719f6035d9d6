import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** By package.json importing a module does nothing by itself: true of what is published, not of this one. */
const keepCsp: Plugin = {
  name: 'keep-csp',
  transform: {
    filter: { id: /src\/dashboard\/csp\.ts$/ },
    handler: (code) => ({ code, map: null, moduleSideEffects: true }),
  },
};

/** The dashboard as static files that HQ serves: relative addresses, nothing fetched from another host. */
export default defineConfig({
  root: 'src/dashboard',
  base: './',
  plugins: [react(), keepCsp],
  build: {
    outDir: '../../dist/dashboard',
    emptyOutDir: true,
    target: 'es2022',
    // Fonts and pictures as data: addresses would need a looser content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      output: {
        // Libraries change less often than the dashboard: a browser keeps them over an update.
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// },
            { name: 'libraries', test: /node_modules\// },
          ],
        },
      },
    },
  },
});
