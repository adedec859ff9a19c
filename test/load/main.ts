/** `npm run test:load`: what the edge does under load. test/README.md tells what is looked at. */
import { parseArgs } from "node:util";
import { many } from "./many.ts";
import { KINDS } from "./mix.ts";
import { failures, type Options, type Outcome, show, writeResult } from "./report.ts";
import { soak } from "./soak.ts";
import { upload } from "./upload.ts";

const LOADS: Readonly<Record<string, (options: Options) => Promise<Outcome>>> = { many, upload, soak };

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: Object.keys(LOADS) },
    clients: { type: "string", default: "200" },
    seconds: { type: "string", default: "120" },
    minutes: { type: "string", default: "30" },
    "upload-mib": { type: "string", default: "2048" },
    kind: { type: "string", multiple: true, default: KINDS },
    seed: { type: "string", default: String(Date.now() % 2 ** 32) },
    write: { type: "boolean", default: false },
  },
});
const numbers = [values.clients, values.seconds, values.minutes, values["upload-mib"], values.seed].map(Number);
const [clients = 0, seconds = 0, minutes = 0, uploadMib = 0, seed = 0] = numbers;
const known =
  values.only.every((name) => Object.hasOwn(LOADS, name)) && values.kind.every((kind) => KINDS.includes(kind));
if (!known || !numbers.every((number) => number > 0)) {
  console.error(
    `usage: npm run test:load -- [--only ${Object.keys(LOADS).join("|")}]... [--clients N] [--seconds N] [--minutes N]
       [--upload-mib N] [--kind "${KINDS.join('"|"')}"]... [--seed N] [--write]`,
  );
  process.exit(2);
}
const options: Options = {
  clients,
  seconds,
  soakSeconds: minutes * 60,
  uploadBytes: uploadMib * 2 ** 20,
  seed,
  kinds: values.kind,
  note: console.log,
};
for (const [name, load] of Object.entries(LOADS)) {
  if (!values.only.includes(name)) continue;
  console.log(`\n${name}: seed ${seed}`);
  const outcome = await load(options);
  console.log(show(outcome));
  const failed = failures(outcome);
  for (const failure of failed.slice(0, 20)) console.log(`  WRONG: ${failure}`);
  if (failed.length > 0) process.exitCode = 1;
  if (values.write) await writeResult(name, options, outcome);
}
