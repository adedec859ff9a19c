/**
 * The edge with faults in it as one module. Its times are short and its pieces small, so that a small image is under way for
 * long enough; and, to try the runner, a mistake may be planted in src.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, type Rollup } from "vite";

const ENTRY = fileURLToPath(new URL("worker/main.ts", import.meta.url));
const TIMES = fileURLToPath(new URL("worker/times.ts", import.meta.url));
const TALLY_TIMES = fileURLToPath(new URL("../support/tally-times.ts", import.meta.url));

/** A text in one file of src, and what stands in its place. */
export interface Change {
  /** Below the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** What src reads and holds back at a time: an image of these tests would else pass in one piece. */
const PIECES: readonly Change[] = [
  change("src/digest/gate.ts", "const HELD_BYTES = 64 * 1024;", "const HELD_BYTES = 8 * 1024;"),
  change("src/digest/gate.ts", "const READ_BYTES = 2 ** 20;", "const READ_BYTES = 2 ** 14;"),
  change("src/glance/image-body.ts", "const READ_BYTES = 2 ** 20;", "const READ_BYTES = 2 ** 15;"),
  change("src/glance/image-body.ts", "const READ_AT_LEAST = 2 ** 18;", "const READ_AT_LEAST = 2 ** 13;"),
];

export function change(file: string, find: string, replace: string): Change {
  return { file, find, replace };
}

/** @throws when the text of a change is not in its file exactly once */
export async function bundleWorker(mistake: readonly Change[]): Promise<string> {
  const changes = [...PIECES, ...mistake];
  const made = new Set<Change>();
  const plugin: Plugin = {
    name: "changes",
    enforce: "pre",
    transform(code, id) {
      let text = code;
      for (const change of changes.filter(({ file }) => id.endsWith(`/${file}`))) {
        if (text.split(change.find).length !== 2) throw new Error(`not once in ${change.file}: ${change.find}`);
        text = text.replace(change.find, () => change.replace);
        made.add(change);
      }
      return text === code ? null : text;
    },
  };
  const built = await build({
    root: dirname(ENTRY),
    configFile: false,
    logLevel: "error",
    plugins: [plugin],
    resolve: {
      alias: [
        { find: /^\.\/times\.ts$/, replacement: TIMES },
        { find: /^\.\/tally-times\.ts$/, replacement: TALLY_TIMES },
      ],
    },
    build: {
      write: false,
      minify: false,
      target: "esnext",
      lib: { entry: ENTRY, formats: ["es"] },
      rollupOptions: { external: /^cloudflare:/ },
    },
  });
  for (const { file } of changes.filter((one) => !made.has(one))) throw new Error(`no ${file} in the Worker`);
  const outputs = (Array.isArray(built) ? built : [built as Rollup.RollupOutput]).flatMap(({ output }) => output);
  const chunk = outputs.find((output) => output.type === "chunk");
  if (chunk?.type !== "chunk") throw new Error("vite gave no module");
  return chunk.code;
}
