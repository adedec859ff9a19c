/**
 * The same Glance under uWSGI instead of eventlet, as newer installations run it (docs.openstack.org/glance/latest/admin/
 * apache-httpd.html): uWSGI reads requests and their bodies in its own way.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { basename, join } from "node:path";
import { untilAnswers } from "./answering.ts";
import { PASTE, writeConfig } from "./glance.ts";
import type { Processes } from "./processes.ts";

/** Of its log. */
export const UWSGI_GLANCE = "uwsgi-glance-api";

/** On the database and store of the first Glance, which must have made them. */
export async function startUwsgiGlance(
  processes: Processes,
  state: string,
  port: number,
  keystoneUrl: string,
): Promise<void> {
  const config = writeConfig(state, { name: UWSGI_GLANCE, port, keystoneUrl, flavor: "keystone" });
  // The WSGI script takes no options, but a directory with files of fixed names (glance/common/wsgi_app.py).
  const directory = join(state, UWSGI_GLANCE);
  mkdirSync(directory);
  copyFileSync(config, join(directory, "glance-api.conf"));
  copyFileSync(PASTE, join(directory, basename(PASTE)));
  const server = processes.start({
    name: UWSGI_GLANCE,
    file: "/usr/bin/uwsgi",
    args: [
      // Not http11-socket: that one keeps a connection while a chunked body is on it that Glance has not read, and takes
      // the body for the next request, whoever stands in front of it (seen with uWSGI 2.0.21).
      ...["--plugin", "python3", "--http-socket", `127.0.0.1:${port}`, "--master", "--die-on-term"],
      ...["--processes", "1", "--threads", "4", "--buffer-size", "65535", "--need-app", "--lazy-apps"],
      ...["--add-header", "Connection: close", "--wsgi-file", "/usr/bin/glance-wsgi-api"],
    ],
    env: { OS_GLANCE_CONFIG_DIR: directory },
  });
  await untilAnswers(`http://127.0.0.1:${port}`, server.died, 60);
}
