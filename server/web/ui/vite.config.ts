import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { defineConfig, type Plugin } from "vite";

const folder = import.meta.dirname;
const dist = resolve(folder, "../static/dist");

/** Icons the pages use: our name -> Tabler's. */
const ICONS: Record<string, string> = {
  records: "table",
  forms: "clipboard-text",
  phones: "device-mobile",
  settings: "settings",
  people: "users",
  projects: "folders",
  download: "download",
  upload: "upload",
  plus: "plus",
  check: "check",
  alert: "alert-triangle",
  error: "circle-x",
  info: "info-circle",
  left: "chevron-left",
  right: "chevron-right",
  up: "chevron-up",
  down: "chevron-down",
  photo: "photo",
  place: "map-pin",
  copy: "copy",
  eye: "eye",
  "eye-off": "eye-off",
  print: "printer",
  logout: "logout",
  language: "language",
  filter: "filter",
  search: "search",
  x: "x",
  file: "file",
  history: "history",
  qr: "qrcode",
  user: "user",
  library: "books",
  lock: "lock",
  empty: "inbox",
  key: "key",
};

/** One SVG with a symbol an icon, so that a page asks for a single small file. */
function sprite(): string {
  const root = join(folder, "node_modules/@tabler/icons");
  const symbols = Object.entries(ICONS).map(([name, source]) => {
    const svg = readFileSync(join(root, "icons/outline", `${source}.svg`), "utf8");
    const inner = svg.replace(/<!--[\s\S]*?-->/g, "").replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "");
    const drawn = inner.replace(/\s*\n\s*/g, "").trim();
    const look = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"';
    return `<symbol id="${name}" viewBox="0 0 24 24" ${look}>${drawn}</symbol>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
}

/** Writes manifest.json: what the templates ask for -> the hashed file that holds it. */
function manifest(): Plugin {
  const svg = sprite();
  const icons = `assets/icons-${createHash("sha256").update(svg).digest("hex").slice(0, 10)}.svg`;
  return {
    name: "xiangtu-manifest",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: icons, source: svg });
    },
    writeBundle(_options, bundle) {
      const names: Record<string, string> = { icons };
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk" && file.isEntry) names.script = file.fileName;
        if (file.type === "asset" && file.fileName.endsWith(".css")) names.style = file.fileName;
      }
      writeFileSync(join(dist, "manifest.json"), `${JSON.stringify(names, null, 2)}\n`);
    },
  };
}

export default defineConfig({
  root: folder,
  base: "/static/",
  publicDir: false,
  plugins: [manifest()],
  build: {
    outDir: dist,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rollupOptions: { input: resolve(folder, "src/main.ts") },
  },
});
