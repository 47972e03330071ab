import { defineConfig } from 'vitest/config'

// The oldest browsers we promise; nothing newer than they know may reach the bundle.
const browsers = ['firefox94', 'chrome95', 'safari15', 'edge95', 'opera80']

export default defineConfig({
  // Relative, so that the page works behind any prefix of a reverse proxy.
  base: './',
  build: {
    outDir: '../visiomatic_dask/static',
    emptyOutDir: true,
    target: browsers,
    cssTarget: browsers,
    modulePreload: { polyfill: false },
    // An inlined asset would be a data: URL, which a strict content policy refuses.
    assetsInlineLimit: 0,
    // The licences of what is bundled ask to go with it.
    license: { fileName: 'licenses.md' },
  },
  // Develop against a server that runs beside: `visiomatic-dask serve`.
  server: {
    proxy: {
      '/cubes': 'http://127.0.0.1:8009',
      '/colormaps': 'http://127.0.0.1:8009',
      '/events': { target: 'http://127.0.0.1:8009', ws: true },
    },
  },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
})
