import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The Go side reads dist/.vite/manifest.json and serves dist/assets under /assets. Every entry is a page of its own;
// what two pages share goes to chunks by itself. Nothing is inlined: the policy allows neither data: nor inline code.
export default defineConfig({
  plugins: [svelte()],
  appType: 'custom',
  publicDir: false,
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    manifest: true,
    target: ['es2022', 'safari15.4', 'chrome111', 'firefox121'],
    cssTarget: ['safari15.4', 'chrome111', 'firefox121'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rollupOptions: {
      input: {
        visit: 'src/visit.ts',
        desk: 'src/desk.ts',
        admin: 'src/admin.ts',
        test: 'src/test.ts',
        document: 'src/document.ts',
      },
    },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
