/** Runs the demo origin alone: `npm run demo -- [--port N]`. */
import { parseArgs } from "node:util";
import { startDemoOrigin } from "./origin.ts";
import { LARGE_IMAGE, SMALL_IMAGE } from "./seeds.ts";

const { values } = parseArgs({ options: { port: { type: "string", default: "9292" } } });
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`demo origin: --port must be a whole number up to 65535, not ${values.port}`);
  process.exit(2);
}
try {
  const origin = await startDemoOrigin({ port, seed: true });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      origin.close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error("demo origin:", error);
          process.exit(1);
        },
      );
    });
  }
  console.log(`demo origin ready on ${origin.url} (tokens: demo, other, admin)`);
  for (const { id, size } of [SMALL_IMAGE, LARGE_IMAGE]) console.log(`  image ${id}, ${size} bytes`);
} catch (error) {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  console.error("demo origin:", taken ? `port ${port} is taken; give another one with --port` : error);
  process.exit(1);
}
