/** Something before Glance is in the way of the question for a right: downloads go on, and the operator is told. */

import { describe, expect, it, vi } from "vitest";
import { keptImage } from "../../support/kept.ts";
import { keepLines } from "../../support/lines.ts";
import { asks, download, expectCalls, type Image, PROBE } from "../../support/scenario.ts";

const NGINX = "<html><head><title>416 Requested Range Not Satisfiable</title></head><body>nginx</body></html>";
const file = (id: string) => `GET /v2/images/${id}/file`;

const lines = keepLines();

/** What stands before the origin gives this answer to the question for a right, which the origin has got. */
function answerProbes(answer: () => Response): void {
  const send = globalThis.fetch;
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const response = await send(input, init);
    if (new Request(input, init).headers.get("range") !== PROBE) return response;
    await response.body?.cancel();
    return answer();
  });
}

async function get({ id }: Image): Promise<string> {
  const response = await download(id);
  await response.arrayBuffer();
  return `${response.status} ${response.headers.get("cache-status")}`;
}

describe("what stands before the origin", () => {
  it("rewrites its 416: the first byte is asked for, and one line tells", async () => {
    const image = await keptImage({ size: 100_000 });
    answerProbes(() => new Response(NGINX, { status: 416 }));
    for (let time = 0; time < 3; time++) {
      expect(await get(image)).toBe("200 glance-edge; hit");
      await expectCalls(...asks(image.id), `${file(image.id)} bytes=0-0`);
    }
    expect(lines("origin.strange-416")).toHaveLength(1);
  });

  it("forbids a range so far behind the end: downloads are the origin's own, and one line tells", async () => {
    const image = await keptImage({ size: 100_000 });
    answerProbes(() => new Response("no", { status: 403 }));
    for (let time = 0; time < 3; time++) {
      expect(await get(image)).toBe("200 glance-edge; fwd=bypass; detail=right-refused");
      await expectCalls(...asks(image.id), file(image.id));
    }
    expect(lines("origin.right-contradicted")).toHaveLength(1);
  });
});
