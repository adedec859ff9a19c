/**
 * Drops what workerd and Miniflare say of what tests do on purpose: Durable Objects that are reset, alarms set anew, R2
 * objects whose data is gone. It says nothing of what was expected, the plugin has no option for it, and it is most of
 * the output of a run that passes.
 */

const NOISE = [
  /^NOSENTRY SQLite alarm/,
  /broken\.outputGateBroken/,
  /Application called abortAllDurableObjects/,
  /failed to invoke drain\(\) on IncomingRequest/,
  /R2 error response does not contain the CF-R2-Error header/,
  /at fetchSingleRange .*miniflare/,
];

export function dropRuntimeNoise(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream);
    stream.write = (...[chunk, ...rest]: unknown[]) => {
      if (typeof chunk === "string" && NOISE.some((noise) => noise.test(chunk))) return true;
      return Reflect.apply(write, stream, [chunk, ...rest]);
    };
  }
}
