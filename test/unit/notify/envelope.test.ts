import { describe, expect, it } from "vitest";
import { envelope, publisherOf, type Sent } from "../../../src/notify/envelope.ts";

const SENT: Sent = {
  imageId: "0d2a3c9e-7a52-4b40-9f7e-5d1e6f5f2f10",
  ownerId: "owner",
  bytesSent: 1_000,
  expected: 1_000,
  destinationIp: "192.0.2.7",
  token: "a-secret-token",
};
const IDS = { messageId: "message", uniqueId: "unique", publisherId: "image.edge.test" };
const NOW = Date.UTC(2026, 10, 23, 8, 1, 14, 7);
const RECEIVER = { userId: "user", projectId: "project", roles: ["member"] };

const messageOf = (sent: Sent, receiver: typeof RECEIVER | null = RECEIVER, now = NOW): Record<string, unknown> =>
  JSON.parse(envelope(sent, receiver, IDS, now)["oslo.message"]);

describe("the envelope of a download's notification", () => {
  it("is oslo.messaging's, with the message as JSON text", () => {
    expect(envelope(SENT, RECEIVER, IDS, NOW)).toEqual({
      "oslo.version": "2.0",
      "oslo.message": expect.stringMatching(/^\{.*\}$/),
    });
  });

  it("holds Glance's image.send and nothing else", () => {
    expect(messageOf(SENT)).toEqual({
      message_id: "message",
      publisher_id: "image.edge.test",
      event_type: "image.send",
      priority: "INFO",
      payload: {
        bytes_sent: 1_000,
        image_id: SENT.imageId,
        owner_id: "owner",
        receiver_tenant_id: "project",
        receiver_user_id: "user",
        destination_ip: "192.0.2.7",
      },
      timestamp: "2026-11-23 08:01:14.007000",
      _unique_id: "unique",
    });
  });

  it.each([0, 999, 1_001])("is an error with %i of 1000 bytes", (bytesSent) => {
    expect(messageOf({ ...SENT, bytesSent })).toMatchObject({ priority: "ERROR", payload: { bytes_sent: bytesSent } });
  });

  it("names what is not known as null", () => {
    expect(messageOf({ ...SENT, ownerId: null, destinationIp: null }, null)).toMatchObject({
      payload: { owner_id: null, destination_ip: null, receiver_tenant_id: null, receiver_user_id: null },
    });
  });

  it("gives microseconds also where there are none", () => {
    expect(messageOf(SENT, RECEIVER, 0)).toMatchObject({ timestamp: "1970-01-01 00:00:00.000000" });
  });

  it("never holds the token", () => {
    expect(JSON.stringify(envelope(SENT, RECEIVER, IDS, NOW))).not.toContain("a-secret-token");
  });
});

describe("the publisher", () => {
  it.each([
    ["https://image-edge.example.com", "image.image-edge.example.com"],
    ["https://cloud.example:8443/image", "image.cloud.example"],
    ["http://127.0.0.1:8787", "image.127.0.0.1"],
    [null, "image.glance-edge"],
  ])("where PUBLIC_URL is %s is %s", (url, publisher) => {
    expect(publisherOf(url)).toBe(publisher);
  });
});
