/** Glance 25.1's versions document with its own cache off and its stores in enabled_backends (glance/api/versions.py). */
import { type Exchange, reply } from "../http/exchange.ts";

const SUPPORTED = [
  "2.13",
  "2.12",
  "2.11",
  "2.10",
  "2.9",
  "2.8",
  "2.7",
  "2.6",
  "2.5",
  "2.4",
  "2.3",
  "2.2",
  "2.1",
  "2.0",
];

/** @param status 300 where the client did not ask for it by name */
export function versions(exchange: Exchange, status: 200 | 300): void {
  const links = [{ rel: "self", href: `${exchange.base}/v2/` }];
  const document = {
    versions: [
      { id: "v2.15", status: "CURRENT", links },
      ...SUPPORTED.map((version) => ({ id: `v${version}`, status: "SUPPORTED", links })),
    ],
  };
  reply(exchange, status, { "Content-Type": "application/json" }, JSON.stringify(document));
}
