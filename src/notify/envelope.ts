/**
 * The notification of one download, as Glance puts it on its message bus: `image.send` (glance/notifier.py,
 * glance/api/common.py) in oslo.messaging's envelope 2.0 (driver `messagingv2`: oslo_messaging/notify/notifier.py,
 * oslo_messaging/_drivers/common.py), so that who reads Glance's notifications today reads these without a change.
 */
import type { Identity } from "../keystone/identity.ts";

/** One download that has ended, well or not. */
export interface Sent {
  readonly imageId: string;
  readonly ownerId: string | null;
  /** Bytes that the client was given. */
  readonly bytesSent: number;
  /** Bytes of a whole answer: of the range, if one was asked for. */
  readonly expected: number;
  /** The client's address, or null when it is not known. */
  readonly destinationIp: string | null;
  /** The caller's X-Auth-Token. Serves to find out who that is, and is in no message. */
  readonly token: string | null;
}

export interface MessageIds {
  /** A UUID. A message may arrive twice: this tells. */
  readonly messageId: string;
  /** 32 hex digits, oslo.messaging's own guard against doubles. */
  readonly uniqueId: string;
  /** Service and host: {@link publisherOf}. */
  readonly publisherId: string;
}

/** What goes over the wire: the message is JSON inside of JSON. */
export interface Envelope {
  readonly "oslo.version": "2.0";
  readonly "oslo.message": string;
}

/**
 * The envelope of one notification: INFO for a whole download, ERROR for one that was cut. Glance notifies with an empty
 * request context, so there are no `_context_…` fields here either.
 * @param receiver whose download it was; null when that is not known
 * @param now ms since the epoch
 */
export function envelope(sent: Sent, receiver: Identity | null, ids: MessageIds, now: number): Envelope {
  const message = {
    message_id: ids.messageId,
    publisher_id: ids.publisherId,
    event_type: "image.send",
    priority: sent.bytesSent === sent.expected ? "INFO" : "ERROR",
    payload: {
      bytes_sent: sent.bytesSent,
      image_id: sent.imageId,
      owner_id: sent.ownerId,
      receiver_tenant_id: receiver?.projectId ?? null,
      receiver_user_id: receiver?.userId ?? null,
      destination_ip: sent.destinationIp,
    },
    timestamp: timestamp(now),
    _unique_id: ids.uniqueId,
  };
  return { "oslo.version": "2.0", "oslo.message": JSON.stringify(message) };
}

/**
 * Who publishes: Glance's own form, `image.` and a host name (option default_publisher_id).
 * @param publicUrl PUBLIC_URL, or null: which host a client says it asked is no word of the edge's
 */
export function publisherOf(publicUrl: string | null): string {
  return `image.${publicUrl === null ? "glance-edge" : new URL(publicUrl).hostname}`;
}

/** Python's str() of a UTC datetime without a zone, microseconds always given. */
function timestamp(now: number): string {
  return `${new Date(now).toISOString().slice(0, -1).replace("T", " ")}000`;
}
