/** Caches that know nothing of images, in front of the origin: nginx and Varnish, as their manuals have it for large files. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePorts } from "../../scripts/ports.ts";
import { untilAnswers } from "../../test/openstack/lib/answering.ts";
import type { Command } from "../../test/openstack/lib/processes.ts";
import { dataPath, TOKEN } from "../origin.ts";
import { groupMeter, untilIdle } from "./cpu.ts";
import type { Server, Site } from "./server.ts";

const UP_SECONDS = 20;

/** Each image in pieces of 1 MiB (nginx.org/en/docs/http/ngx_http_slice_module.html), each fetched once. */
export function nginxSlice(site: Site): Promise<Server> {
  return nginx(site, "nginx-slice", [
    "slice 1m;",
    "proxy_set_header Range $slice_range;",
    'proxy_cache_key "$uri $slice_range";',
    "proxy_cache_valid 200 206 1d;",
  ]);
}

/** Each image whole; all but the first client wait until it is there. */
export function nginxLock(site: Site): Promise<Server> {
  return nginx(site, "nginx-lock", ["proxy_cache_key $uri;", "proxy_cache_valid 200 1d;"]);
}

async function nginx(site: Site, name: string, lines: readonly string[]): Promise<Server> {
  const directory = makeDirectory(site, name);
  const [port = 0] = await freePorts(1);
  const file = join(directory, "nginx.conf");
  writeFileSync(
    file,
    `worker_processes auto;
daemon off;
user root;
pid ${directory}/pid;
error_log ${directory}/error.log;
events { worker_connections 4096; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path ${directory}/body;
  proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi;
  scgi_temp_path ${directory}/scgi;
  proxy_cache_path ${directory}/cache levels=1:2 keys_zone=images:16m max_size=20g inactive=1d use_temp_path=off;
  upstream origin {
    server ${new URL(site.originUrl).host};
    keepalive 16;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache images;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 1h;
      proxy_cache_lock_age 1h;
      proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
      ${lines.join("\n      ")}
    }
  }
}
`,
  );
  return start(site, directory, port, {
    name,
    file: "/usr/sbin/nginx",
    args: ["-c", file, "-e", join(directory, "error.log")],
  });
}

/** In memory; clients that come while an image is fetched are sent what is there of it. */
export async function varnish(site: Site): Promise<Server> {
  const directory = makeDirectory(site, "varnish");
  const [port = 0] = await freePorts(1);
  const { hostname, port: originPort } = new URL(site.originUrl);
  const file = join(directory, "default.vcl");
  writeFileSync(
    file,
    `vcl 4.1;
backend origin { .host = "${hostname}"; .port = "${originPort}"; .first_byte_timeout = 1h; .between_bytes_timeout = 1h; }
sub vcl_backend_response {
  if (beresp.status == 200) { set beresp.ttl = 1d; unset beresp.http.Vary; }
}
`,
  );
  // It would run as a user who may not read this directory.
  const listen = ["-j", "none", "-F", "-a", `127.0.0.1:${port}`, "-T", "none", "-n", join(directory, "state")];
  const args = [...listen, "-f", file, "-s", "malloc,3g"];
  return start(site, directory, port, { name: "varnish", file: "/usr/sbin/varnishd", args });
}

async function start(site: Site, directory: string, port: number, command: Command): Promise<Server> {
  const { died } = site.processes.start(command);
  const url = `http://127.0.0.1:${port}`;
  await untilAnswers(url, died, UP_SECONDS);
  const meters = [groupMeter(command.name, site.processes.groupOf(command.name))];
  const server: Server = {
    meters,
    directory,
    at: (image) => ({ url: url + dataPath(image), token: TOKEN }),
    keep: async (image) => {
      await site.verify(server, image);
      await untilIdle(meters);
    },
    // The cache's own rules have it forgotten in time; nobody asks for it again.
    drop: async (image) => {
      await site.origin.removeImage(image);
      await untilIdle(meters);
    },
  };
  return server;
}

function makeDirectory(site: Site, name: string): string {
  const directory = join(site.directory, name);
  mkdirSync(directory, { recursive: true });
  return directory;
}
