/** The page as an operator uses it, in a real browser. */
import { readdir, stat } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import {
  api,
  control,
  createImage,
  download,
  edgeUrl,
  open,
  openAsAdmin,
  useBrowser,
  useCredential,
  useToken,
} from "./support.ts";

useBrowser();

const HOSTILE = "<img src=x onerror=alert(1)>";

describe("logging in", () => {
  it("takes an application credential, and leaves the token in the page's memory only", async () => {
    const page = await open();
    await useCredential(page, "admin-credential", "admin-secret");
    await page.getByRole("heading", { name: "Stored images" }).waitFor();
    expect(await page.getByRole("banner").textContent()).toContain("admin in admin");
    const kept = await page.evaluate(() =>
      JSON.stringify([location.href, localStorage, sessionStorage, document.cookie]),
    );
    expect(kept).toBe(JSON.stringify([`${edgeUrl()}/edge/`, {}, {}, ""]));
    expect(await page.context().cookies()).toEqual([]);
    await page.reload();
    await page.getByRole("button", { name: "Log in" }).waitFor();
  });

  it.each([
    ["a wrong secret", "admin-credential", "wrong", /does not take this id and secret/],
    ["who is no administrator", "demo-credential", "demo-secret", /none of the roles .* admin/],
  ])("says of %s what is wrong, and lets try again", async (_, id, secret, message) => {
    const page = await open();
    await useCredential(page, id, secret);
    expect(await page.getByRole("alert").textContent()).toMatch(message);
    await useToken(page, "admin");
    await page.getByRole("heading", { name: "Stored images" }).waitFor();
  });

  it("says that Keystone does not answer", async () => {
    const page = await open();
    await control("PUT", "/keystone", { status: 503 });
    try {
      await useCredential(page, "admin-credential", "admin-secret");
      expect(await page.getByRole("alert").textContent()).toMatch(/Keystone does not answer/);
    } finally {
      await control("PUT", "/keystone", {});
    }
  });

  it("ends when the token does, and says why", async () => {
    const page = await open();
    await useCredential(page, "admin-credential", "admin-secret");
    await page.getByRole("heading", { name: "Stored images" }).waitFor();
    const page401 = page.getByRole("alert");
    await page.route("**/edge/api/state", (route) =>
      route.fulfill({ status: 401, json: { error: { status: 401, message: "Log in again." } } }),
    );
    expect(await page401.textContent()).toBe("Log in again.");
    await page.getByRole("button", { name: "Log in" }).waitFor();
  });
});

describe("what runs", () => {
  it("is queued by hand, its bar moves, its name is text, and stored it is in the list", async () => {
    const id = await createImage({ name: HOSTILE, size: 30_000_000, rate: 3_000_000 });
    const page = await openAsAdmin();
    await page.getByRole("button", { name: "Queue an image…" }).click();
    await page.getByLabel("Image id").fill(` ${id.toUpperCase()} `);
    await page.getByRole("button", { name: "Queue", exact: true }).click();
    const bar = page.getByRole("progressbar", { name: `Fill of “${HOSTILE}”` });
    await bar.waitFor();
    const value = () => bar.evaluate((element) => (element as HTMLProgressElement).value);
    await expect.poll(value, { timeout: 60_000 }).toBeGreaterThan(0);
    const before = await value();
    await expect.poll(value, { timeout: 60_000 }).toBeGreaterThan(before);
    expect(await page.getByRole("region", { name: "Running fills" }).textContent()).toMatch(/MiB of 28\.6 MiB/);
    await page.getByRole("cell", { name: HOSTILE }).first().waitFor();
    await page.getByText("Nothing is being fetched.").waitFor();
    expect(await page.locator("img").count()).toBe(0);
  });

  it("is refused to be queued where Glance knows no such image, in the dialog", async () => {
    const page = await openAsAdmin();
    await page.getByRole("button", { name: "Queue an image…" }).click();
    const id = crypto.randomUUID();
    await page.getByLabel("Image id").fill(id);
    await page.getByRole("button", { name: "Queue", exact: true }).click();
    expect(await page.getByRole("dialog").getByRole("alert").textContent()).toBe(`Image ${id} not found.`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  });
});

it("a hit appears in the chart", async () => {
  const id = await createImage({ name: "to-hit", size: 1_000_000 });
  await download(id);
  await expect.poll(() => download(id), { timeout: 60_000 }).toContain("hit");
  const page = await openAsAdmin();
  const chart = page.getByRole("img", { name: /^Downloads: [1-9]\d* hits/ });
  await chart.waitFor();
  const hits = async () => Number(/(\d+) hits/.exec((await chart.getAttribute("aria-label")) ?? "")?.[1]);
  const before = await hits();
  await download(id);
  await expect.poll(hits, { timeout: 90_000 }).toBeGreaterThan(before);
  await page.getByText("As a table").click();
  expect(await page.getByRole("table").first().textContent()).toMatch(/Hit ratio/);
});

describe("what is stored", () => {
  it("is deleted by keyboard alone, after a question that names it", async () => {
    const id = await createImage({ name: "to-delete", size: 100_000 });
    await download(id);
    const page = await openAsAdmin();
    const button = page.getByRole("button", { name: "Delete “to-delete” from the cache" });
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Delete from the cache" });
    expect(await dialog.textContent()).toContain(`to-delete${id}`);
    // The way out comes first.
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Cancel");
    await page.keyboard.press("Enter");
    await dialog.waitFor({ state: "detached" });
    expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press("Enter");
    await dialog.waitFor();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByText("“to-delete” is deleted from the cache.").waitFor();
    await button.waitFor({ state: "detached" });
  });

  it("is pinned and unpinned by hand, each after a question that says what that means", async () => {
    const id = await createImage({ name: "to-pin", size: 100_000 });
    await download(id);
    const page = await openAsAdmin();
    const dialog = page.getByRole("dialog");
    await page.getByRole("button", { name: "Pin “to-pin”" }).click();
    await dialog.getByText(/goes only where all others are not enough/).waitFor();
    await dialog.getByRole("button", { name: "Pin", exact: true }).click();
    await page.getByText("“to-pin” is pinned.").waitFor();
    await page.getByRole("button", { name: "Unpin “to-pin”" }).click();
    await dialog.getByText(/goes as all others do/).waitFor();
    await dialog.getByRole("button", { name: "Unpin", exact: true }).click();
    await page.getByText("“to-pin” is pinned no more.").waitFor();
    await page.getByRole("button", { name: "Pin “to-pin”" }).waitFor();
  });

  it("stays where the dialog's request fails, which it says", async () => {
    await download(await createImage({ name: "to-stay", size: 100_000 }));
    const page = await openAsAdmin();
    await page.getByRole("button", { name: "Delete “to-stay” from the cache" }).click();
    await page.route("**/edge/api/images/*", (route) => route.abort());
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    expect(await page.getByRole("dialog").getByRole("alert").textContent()).toMatch(/edge does not answer/);
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("cell", { name: /^to-stay/ }).waitFor();
  });

  it("and what is queued are cleared, each after a question that says how much", async () => {
    await download(await createImage({ name: "to-clear", size: 100_000 }));
    const waiting = await createImage({ name: "to-dequeue", size: 50_000_000, rate: 100_000 });
    await api("PUT", `queue/${waiting}`);
    const page = await openAsAdmin();
    await page.getByRole("button", { name: "Clear queue…" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("1 queued image").waitFor();
    await dialog.getByText("to-dequeue").waitFor();
    await dialog.getByRole("button", { name: "Clear queue" }).click();
    await page.getByText("The queue is empty.").waitFor();
    await page.getByRole("button", { name: "Clear cache…" }).click();
    await dialog.getByText(/All \d+ stored images?, .* will go/).waitFor();
    await dialog.getByRole("button", { name: "Clear cache" }).click();
    await page.getByText("Nothing is stored yet.").waitFor();
    await page.getByRole("button", { name: "Prune…" }).click();
    await dialog.getByText(/within its cap of 100 GiB/).waitFor();
    await dialog.getByRole("button", { name: "Prune" }).click();
    await page.getByText("Nothing was to be pruned.").waitFor();
  });
});

describe("when the edge or Keystone is away", () => {
  it("the page says so, keeps what it shows, and is live again by itself", async () => {
    await download(await createImage({ name: "to-keep", size: 100_000 }));
    const page = await openAsAdmin();
    await page.getByRole("cell", { name: /^to-keep/ }).waitFor();
    await control("PUT", "/keystone", { status: 503 });
    try {
      await page
        .getByText(/Keystone does not answer/)
        .first()
        .waitFor();
    } finally {
      await control("PUT", "/keystone", {});
    }
    await page.getByText("Live", { exact: true }).waitFor();
    await page.route("**/edge/api/**", (route) => route.abort());
    await page
      .getByText(/The edge does not answer/)
      .first()
      .waitFor();
    await page.getByText(/what you see is \d+ s old/).waitFor();
    expect(await page.getByRole("cell", { name: /^to-keep/ }).isVisible()).toBe(true);
    await page.unroute("**/edge/api/**");
    await page.getByText("Live", { exact: true }).waitFor();
  });
});

it("what can't be known while D1 is away the page says, and what it knows it shows", async () => {
  const page = await open();
  const message = "The index (D1) does not answer.";
  await page.route("**/edge/api/state", async (route) => {
    const state = await (await route.fetch()).json();
    const unknown = { images: null, fills: null, queue: null, unknown: message };
    await route.fulfill({ json: { ...state, ...unknown, room: { used: null, cap: state.room.cap } } });
  });
  for (const part of ["images*", "traffic*"]) {
    const error = { status: 503, message };
    await page.route(`**/edge/api/${part}`, (route) => route.fulfill({ status: 503, json: { error } }));
  }
  await useToken(page, "admin");
  await page.getByText("? of 100 GiB").waitFor();
  for (const name of ["Running fills", "Queue", "Traffic"]) {
    await page.getByRole("region", { name }).getByText("Not known now.").waitFor();
  }
  await page.getByRole("region", { name: "Stored images" }).getByText(message).waitFor();
  expect(await page.getByRole("status").textContent()).toContain(message);
});

it.each([-86_400_000, 86_400_000])(
  "a clock of this machine that is wrong by %d ms changes no time",
  async (clockWrongBy) => {
    const name = `to-time-${clockWrongBy}`;
    const id = await createImage({ name, size: 100_000 });
    await download(id);
    await expect.poll(() => download(id), { timeout: 60_000 }).toContain("hit");
    const page = await openAsAdmin({ clockWrongBy });
    expect(await page.evaluate(() => Date.now())).not.toBeCloseTo(Date.now(), -7);
    const row = page.getByRole("row", { name: `${name} ` });
    await expect
      .poll(() => row.textContent(), { timeout: 60_000 })
      .toMatch(/(just now|\d+ s ago).*(just now|\d+ s ago)/);
    await page.getByRole("img", { name: /^Downloads: [1-9]\d* hits/ }).waitFor();
  },
);

it("all files of the page have less than 150 KB", async () => {
  const directory = fileURLToPath(new URL("../../dist/page", import.meta.url));
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async (file) => (await stat(`${file.parentPath}/${file.name}`)).size));
  expect(files.length).toBeGreaterThan(2);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
});
