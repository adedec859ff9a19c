/** The edge with faults in it as one module, with the short times of tests; and, to try the runner, with a mistake planted in src. */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, type Rollup } from "vite";

const ENTRY = fileURLToPath(new URL("worker/main.ts", import.meta.url));
const TIMES = fileURLToPath(new URL("worker/times.ts", import.meta.url));
const TALLY_TIMES = fileURLToPath(new URL("../support/tally-times.ts", import.meta.url));

/** A mistake in one file of src. */
export interface Mutation {
  readonly name: string;
  /** Below the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** @throws when a mutation's text is not in its file exactly once */
export async function bundleWorker(mutation: Mutation | null): Promise<string> {
  let planted = 0;
  const plant: Plugin = {
    name: "plant",
    enforce: "pre",
    transform(code, id) {
      if (mutation === null || !id.endsWith(`/${mutation.file}`)) return null;
      if (code.split(mutation.find).length !== 2) throw new Error(`${mutation.name}: ${mutation.file} has changed`);
      planted++;
      return code.replace(mutation.find, mutation.replace);
    },
  };
  const built = await build({
    root: dirname(ENTRY),
    configFile: false,
    logLevel: "error",
    plugins: [plant],
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
  if (mutation !== null && planted !== 1)
    throw new Error(`${mutation.name}: ${mutation.file} is no part of the Worker`);
  const outputs = (Array.isArray(built) ? built : [built as Rollup.RollupOutput]).flatMap(({ output }) => output);
  const chunk = outputs.find((output) => output.type === "chunk");
  if (chunk?.type !== "chunk") throw new Error("vite gave no module");
  return chunk.code;
}
