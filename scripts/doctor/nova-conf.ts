/** Whether Nova downloads images at all, by its nova.conf. Pure. */
import { type Finding, no, unknown, yes } from "./finding.ts";
import type { ImageRecord } from "./images.ts";

/** Sections and options as oslo.config reads them, without what a continued line adds. */
function readIni(text: string): (section: string, option: string) => string | null {
  const values = new Map<string, string>();
  let section = "DEFAULT";
  for (const line of text.split(/\r?\n/)) {
    const [, name] = /^\[([^\]]+)\]/.exec(line) ?? [];
    if (name !== undefined) section = name.trim();
    const [, option, value = ""] = /^([\w-]+)\s*[=:]\s*(.*?)\s*$/.exec(line) ?? [];
    if (option !== undefined) values.set(`${section}.${option}`, value.replace(/^(["'])(.*)\1$/, "$2"));
  }
  return (from, option) => values.get(`${from}.${option}`) || null;
}

const isOn = (value: string | null) => /^(true|1|yes|on|t|y)$/i.test(value ?? "");

/** @param conf null: no nova.conf is given */
export function novaDownloads(conf: string | null, images: readonly ImageRecord[] | null): Finding {
  const what = "Nova downloads images from Glance";
  if (conf === null) return unknown(what, "no nova.conf", "Give --nova-conf FILE of a compute node.");
  const get = readIni(conf);
  if (isOn(get("glance", "enable_rbd_download"))) {
    return no(
      what,
      "[glance] enable_rbd_download: it reads them from Ceph",
      "An edge helps other clients only, or sites without that Ceph.",
    );
  }
  const type = get("libvirt", "images_type") ?? "default";
  if (type !== "rbd") return yes(what, `[libvirt] images_type = ${type}`);
  const store = get("libvirt", "images_rbd_glance_store_name");
  const todo =
    "An edge helps Cinder, Ironic and sites whose Ceph is not Glance's: there Nova downloads. For boots from this Ceph it changes nothing.";
  if (store !== null) return no(what, `it clones, once Glance has copied the image to its store ${store}`, todo);
  const urls = (images ?? []).flatMap(({ direct_url, locations }) => [direct_url, ...locations.map(({ url }) => url)]);
  if (urls.some((url) => url?.startsWith("rbd://") ?? false)) {
    return no(what, "[libvirt] images_type = rbd, and Glance shows rbd:// locations: it clones", todo);
  }
  return unknown(
    what,
    "[libvirt] images_type = rbd, and Glance shows no rbd:// location to who asks",
    "If Glance's show_multiple_locations or show_image_direct_url is on and both use one Ceph, Nova clones raw images and never downloads them.",
  );
}

/** Which Glance Nova asks: its own setting goes before the catalogue. */
export function novaAsks(conf: string | null, edge: string): Finding | null {
  const what = "Nova asks the edge, or a relay in front of it";
  const get = readIni(conf ?? "");
  const servers = get("glance", "endpoint_override") ?? get("glance", "api_servers");
  if (conf === null || servers === null) return null;
  if (servers.includes(new URL(edge).host)) return yes(what, servers);
  return unknown(
    what,
    `nova.conf names ${servers}, before the catalogue`,
    "If that is no relay in front of the edge, name the edge there.",
  );
}
