import { describe, expect, it } from "vitest";
import { dataPath, downloadTarget, recordPath } from "../../../src/glance/target.ts";

const ID = "71c675ab-d94f-49cd-a114-e12490b328d9";
const UPPER = ID.toUpperCase();

describe("a GET downloads an image at", () => {
  it("its v2 data", () => {
    expect(downloadTarget(`/v2/images/${ID}/file`)).toEqual({ api: "v2", imageId: ID });
  });

  it("its v1 path", () => {
    expect(downloadTarget(`/v1/images/${ID}`)).toEqual({ api: "v1", imageId: ID });
  });

  it.each([
    ["v2", `/v2/images/${ID}/file`],
    ["v1", `/v1/images/${ID}`],
  ] as const)("its %s path with a query, which goes along to the data and not to the record", (api, path) => {
    const target = downloadTarget(`${path}?prefer=a%2Cb&x=/`);
    if (target === null) throw new Error("no target");
    expect(target).toEqual({ api, imageId: ID, query: "?prefer=a%2Cb&x=/" });
    expect(dataPath(target)).toBe(`${path}?prefer=a%2Cb&x=/`);
    expect(recordPath(target)).toBe(`/${api}/images/${ID}`);
  });

  it.each([
    `/v2/images/${ID}`,
    `/v2/images/${ID}/`,
    `/v2/images/${ID}/file/`,
    `/v2/images/${ID}//file`,
    `/v2/images//${ID}/file`,
    `//v2/images/${ID}/file`,
    `/v2//images/${ID}/file`,
    `/v2/images/${ID}%2Ffile`,
    `/v2/images/${ID}/%66ile`,
    `/v2%2Fimages/${ID}/file`,
    `/v2/images/${ID}/file/?a=b`,
    `/v2/images/${ID}?/file`,
    `/v2/images/${ID}/file#a`,
    `/v2/images/${ID}/FILE`,
    `/V2/images/${ID}/file`,
    `/v2/Images/${ID}/file`,
    `/v2/images/${UPPER}/file`,
    `/v2/images/${ID.replaceAll("-", "")}/file`,
    `/v2/images/${ID}x/file`,
    `/v2/images/{${ID}}/file`,
    `/v2/images/ ${ID}/file`,
    `/v2/images/${ID}/file\n`,
    `/v2/images/${ID}/members`,
    `/v2/images/detail/file`,
    `/v2.1/images/${ID}/file`,
    `/v3/images/${ID}/file`,
    `/image/v2/images/${ID}/file`,
    "/v2/images//file",
    "/v2/images/file",
    `/v1/images/${ID}/`,
    `/v1/images/${ID}/file`,
    `/v1/images/${UPPER}`,
    "/v1/images/detail",
    "/v1/images/",
    "/",
    "",
  ])("but not at %j", (path) => {
    expect(downloadTarget(path)).toBeNull();
  });
});

it("record and data have their paths in each API", () => {
  expect(recordPath({ api: "v2", imageId: ID })).toBe(`/v2/images/${ID}`);
  expect(dataPath({ api: "v2", imageId: ID })).toBe(`/v2/images/${ID}/file`);
  expect(recordPath({ api: "v1", imageId: ID })).toBe(`/v1/images/${ID}`);
  expect(dataPath({ api: "v1", imageId: ID })).toBe(`/v1/images/${ID}`);
});
