import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const server = process.env.STROEM_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "dist/page",
    emptyOutDir: true,
    target: "es2022",
    manifest: "manifest.json",
    modulePreload: { polyfill: false },
    // Everything is served from one place under a strict policy: nothing is put inline.
    assetsInlineLimit: 0,
  },
  server: { proxy: { "/api": server, "/healthz": server } },
  test: { environment: "jsdom", include: ["src/**/*.test.{ts,tsx}"] },
});
