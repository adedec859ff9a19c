/** Runs the demo origin alone: `npm run demo -- [--port N] [--control-port N] [--no-random-access]`. */
import { parseArgs } from "node:util";
import { CONTROL_PORT, ORIGIN_PORT, startDemoOrigin } from "./origin.ts";
import { LARGE_IMAGE, SMALL_IMAGE } from "./seeds.ts";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: String(ORIGIN_PORT) },
    "control-port": { type: "string", default: String(CONTROL_PORT) },
    "no-random-access": { type: "boolean", default: false },
  },
});
const port = readPort("--port", values.port);
const controlPort = readPort("--control-port", values["control-port"]);
try {
  const origin = await startDemoOrigin({ port, controlPort, seed: true, randomAccess: !values["no-random-access"] });
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
  console.log(
    `demo origin ready on ${origin.url} (tokens: demo, other, admin, barred), its control on ${origin.controlUrl}/_demo`,
  );
  for (const { id, size } of [SMALL_IMAGE, LARGE_IMAGE]) console.log(`  image ${id}, ${size} bytes`);
} catch (error) {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE" && "port" in error;
  const advice = "give others with --port and --control-port";
  console.error("demo origin:", taken ? `port ${error.port} is taken; ${advice}` : error);
  process.exit(1);
}

function readPort(flag: string, text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= 65_535) return number;
  console.error(`demo origin: ${flag} must be a whole number up to 65535, not ${text}`);
  process.exit(2);
}
