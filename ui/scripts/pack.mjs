// Compresses the built files, so that the server only hands them out, and holds the first load to its budget.
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const page = new URL("../dist/page/", import.meta.url).pathname;
const packed = new Set([".js", ".css", ".html", ".svg", ".json"]);
/** Bytes of all that the first view of a page needs, compressed with gzip, the larger of the two forms. */
const FIRST_LOAD_BYTES = 300_000;

const manifest = JSON.parse(readFileSync(join(page, "manifest.json"), "utf8"));
rmSync(join(page, "manifest.json"));

const sizes = new Map();
for (const name of readdirSync(page, { recursive: true })) {
  const path = join(page, name);
  if (!statSync(path).isFile() || !packed.has(extname(name))) continue;
  const bytes = readFileSync(path);
  const gzip = gzipSync(bytes, { level: 9 });
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  if (gzip.length < bytes.length) writeFileSync(`${path}.gz`, gzip);
  if (brotli.length < bytes.length) writeFileSync(`${path}.br`, brotli);
  sizes.set(name, { plain: bytes.length, gzip: gzip.length, brotli: brotli.length });
}

/** A file of the manifest with everything that is loaded with it at once. */
function withImports(key, seen = new Set()) {
  const entry = manifest[key];
  if (!entry || seen.has(entry.file)) return seen;
  seen.add(entry.file);
  for (const css of entry.css ?? []) seen.add(css);
  for (const other of entry.imports ?? []) withImports(other, seen);
  return seen;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
const base = withImports(entry);
const total = (names, form) => [...names].reduce((sum, name) => sum + (sizes.get(name)?.[form] ?? 0), 0);
const rows = [["first view", base]];
for (const key of Object.keys(manifest)) {
  if (manifest[key].isDynamicEntry) rows.push([manifest[key].name ?? key, withImports(key, new Set())]);
}
for (const [name, files] of rows) {
  const extra = name === "first view" ? files : new Set([...files].filter((file) => !base.has(file)));
  console.log(`${name.padEnd(28)} ${String(total(extra, "gzip")).padStart(8)} gzip ${String(total(extra, "brotli")).padStart(8)} brotli`);
}
const first = total(new Set([...base, "index.html", "theme.js", "icon.svg"]), "gzip");
console.log(`first load: ${first} bytes compressed, ${FIRST_LOAD_BYTES} allowed`);
if (first >= FIRST_LOAD_BYTES) {
  console.error("the first load is over its budget: load lazily what the first view does not show");
  process.exit(1);
}
