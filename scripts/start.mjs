// The way in to `npm start`: says in one line what is missing. Plain JavaScript, because a Node that is too old for the
// rest, or the system's own before `npm ci` has brought a newer one, can still read it.
import { existsSync } from "node:fs";

// Node runs TypeScript without a flag from 22.18 on (https://nodejs.org/api/typescript.html).
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (!existsSync(new URL("../node_modules/wrangler", import.meta.url))) {
  fail("node_modules is missing: run `npm ci` first");
} else if (major < 22 || (major === 22 && minor < 18)) {
  fail(`Node ${process.versions.node} is too old: use \`npm start\`, which runs the Node that \`npm ci\` installed`);
} else {
  await import("./start.ts");
}

/** @param {string} problem */
function fail(problem) {
  console.error(`npm start: ${problem}`);
  process.exitCode = 1;
}
