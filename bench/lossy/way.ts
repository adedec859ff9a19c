/**
 * A way to the origin over a link that takes its time and loses packets: a network namespace behind a link of its own (link.py),
 * whose far end passes on to the origin. Needs root and /dev/net/tun.
 */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { untilAnswers } from "../../test/openstack/lib/answering.ts";
import type { Way } from "../servers/server.ts";

/** Half of the round trip. */
const DELAY_MS = 50;
const LOSS = 0.01;
const SEED = 1;
const PORT = 9292;
const IP = "/usr/sbin/ip";
const PYTHON = "/usr/bin/python3";
const UP_SECONDS = 20;

/** What there has to be for such a link and is not; null: nothing. */
export function missingForLink(): string | null {
  if (process.getuid?.() !== 0) return "root";
  for (const file of ["/dev/net/tun", IP, PYTHON]) {
    try {
      accessSync(file, constants.R_OK);
    } catch {
      return file;
    }
  }
  return null;
}

/**
 * @param control the congestion control of what the far end sends: cubic, bbr
 * @returns the origin's URL at the near end
 */
export async function layLink({ directory, processes, atEnd, origin }: Way, control: string): Promise<string> {
  const namespace = `bench${process.pid}`;
  // Of a network that is nobody's (RFC 5737).
  const [near, far] = ["192.0.2.129", "192.0.2.130"] as const;
  execFileSync(IP, ["netns", "add", namespace]);
  atEnd(() => {
    execFileSync(IP, ["netns", "delete", namespace]);
  });
  const path = join(directory, "origin.sock");
  const { hostname: host, port } = new URL(origin.url);
  const server = createServer((socket) => {
    const onward = connect({ host, port: Number(port), noDelay: true });
    socket.pipe(onward).pipe(socket);
    // A side that breaks takes the other one with it.
    socket.once("error", () => onward.destroy()).once("close", () => onward.destroy());
    onward.once("error", () => socket.destroy());
  });
  await once(server.listen(path), "listening");
  atEnd(() => {
    server.close();
  });
  const python = (script: string) => join(import.meta.dirname, script);
  const link = processes.start({
    name: "link",
    file: PYTHON,
    args: [python("link.py"), namespace, near, far, String(DELAY_MS), String(LOSS), String(SEED)],
  });
  const end = processes.start({
    name: "far-end",
    file: IP,
    args: ["netns", "exec", namespace, PYTHON, python("far_end.py"), far, String(PORT), path, control],
  });
  const url = `http://${far}:${PORT}`;
  await untilAnswers(url, Promise.race([link.died, end.died]), UP_SECONDS);
  return url;
}
