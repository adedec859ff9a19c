/** A digest of all that a deploy would upload: the same one is not deployed again, which would restart running Fills. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** A version's tag may have 25 characters. */
const LENGTH = 24;

/** @param directories files that are uploaded @param config what wrangler reads */
export async function fingerprint(directories: readonly string[], config: string): Promise<string> {
  const hash = createHash("sha256").update(config);
  for (const directory of directories) {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
    const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) {
      // Beside the code wrangler writes what differs by directory and day.
      if (file.endsWith(".map") || file.endsWith("README.md")) continue;
      hash.update(`\0${relative(directory, file)}\0`).update(await readFile(file));
    }
  }
  return hash.digest("hex").slice(0, LENGTH);
}
