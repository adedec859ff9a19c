/** How the page looks, wide and narrow, light and dark, with much to show: nothing sticks out, and axe-core finds nothing. */
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { api, barriers, createImage, edgeUrl, execute, open, openAsAdmin, useBrowser } from "./support.ts";

useBrowser();

/** `PAGE_SCREENSHOT=1` puts it where the README shows it. */
const SCREENSHOT = fileURLToPath(new URL("../../docs/page.png", import.meta.url));

const HOUR = 3_600_000;
const NAMES = ["debian-12-generic", "ubuntu-24.04-server", "rocky-9-base", "windows-2025-std", "fedora-coreos-42"];
/** 255 signs of several scripts, one of which is written from right to left. */
const LONG = "образ-図像-صورة-".repeat(20).slice(0, 255);

beforeAll(async () => {
  const now = Date.now();
  const hour = Math.floor(now / HOUR);
  const quoted = (name: string) => `'${name.replaceAll("'", "''")}'`;
  const images = [...NAMES, LONG, "<img src=x onerror=alert(1)>"].map((name, at) => {
    const id = `5eed0000-0000-4000-8000-0000000001${String(at).padStart(2, "0")}`;
    const read = now - at ** 3 * 60_000 - 5_000;
    return `('${id}', ${quoted(name)}, 'a', ${(7 - at) * 700_123_456 + 4_711}, ${now - 9e8}, ${(8 - at) ** 4}, ${read}, ${now - at * 5e7}, 0)`;
  });
  const traffic = Array.from({ length: 30 * 24 }, (_, ago) => {
    const day = (hour - ago) % 24;
    const hits = Math.round((day > 6 && day < 20 ? 40 : 6) * (1 + Math.sin(ago) ** 2));
    const miss = ago % 7 === 0 ? 2 : 0;
    const row = (figure: string, label: string, value: number) => `(${hour - ago}, '${figure}', '${label}', ${value})`;
    return [
      row("downloads", "hit", hits),
      row("downloads", "miss", miss),
      row("bytes", "cache", hits * 1_400_000_000),
      row("bytes", "origin", miss * 1_400_000_000),
      row("fills", "kept", miss),
      row("fills", "failed", ago % 50 === 21 ? 1 : 0),
    ];
  });
  await execute(`
    INSERT INTO images (image_id, name, attempt, size, committed_at, hits, last_accessed, verified_at, scrubbed_at)
      VALUES ${images.join()};
    ${traffic.map((rows) => `INSERT INTO traffic (hour, figure, label, value) VALUES ${rows.join()};`).join("\n")}
    INSERT INTO queue (image_id, queued_at, attempts, not_before, last_error)
      VALUES ('5eed0000-0000-4000-8000-000000000001', ${now - 7e6}, 3, ${now + 200_000}, 'the origin answered 503')`);
  for (const name of ["talos-1.11", "cirros-0.6.2"]) {
    await api("PUT", `queue/${await createImage({ name, size: 900_000_000, rate: 2_500_000 })}`);
  }
});

const LOOKS = [
  { width: 1280, scheme: "light" },
  { width: 1280, scheme: "dark" },
  { width: 390, scheme: "light" },
  { width: 390, scheme: "dark" },
] as const;

describe.each(LOOKS)("at $width pixels, $scheme", (looking) => {
  it("the log-in has no barriers, and nothing sticks out", async () => {
    const page = await open(looking);
    await page.getByText("Use a token instead").click();
    expect(await barriers(page)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
  });

  it("the page has no barriers, nothing sticks out, and it is as dark as the system", async () => {
    const page = await openAsAdmin(looking);
    await page
      .getByText(/\/s, .* left/)
      .first()
      .waitFor();
    await page.getByRole("cell", { name: /^debian-12-generic/ }).waitFor();
    await page.getByText("demo-small").first().waitFor();
    await page.getByText("As a table").click();
    expect(await barriers(page)).toEqual([]);
    await page.getByText("As a table").click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
    const back = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = Number(/\d+/.exec(back)?.[0]);
    expect(light > 128).toBe(looking.scheme === "light");
    const height = looking.width === 1280 ? 880 : 2_600;
    const screenshot = await page.screenshot({ fullPage: true, clip: { x: 0, y: 0, width: looking.width, height } });
    const directory = process.env.PAGE_LOOKS;
    if (directory !== undefined) await writeFile(join(directory, `${looking.width}-${looking.scheme}.png`), screenshot);
    if (looking !== LOOKS[0]) return;
    // What a README may weigh.
    expect(screenshot.byteLength).toBeLessThan(150_000);
    const unasked = join(await mkdtemp(join(tmpdir(), "edge-page-")), "page.png");
    await writeFile(process.env.PAGE_SCREENSHOT === "1" ? SCREENSHOT : unasked, screenshot);
  });

  it("no dialog has barriers, and none sticks out", async () => {
    const page = await openAsAdmin(looking);
    for (const name of ["Queue an image…", "Clear queue…", "Clear cache…", "Prune…"]) {
      await page.getByRole("button", { name }).click();
      await page.getByRole("dialog").waitFor();
      expect([name, await barriers(page)]).toEqual([name, []]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBeLessThanOrEqual(0);
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
    }
  });
});

it("5,000 images are sorted, filtered and turned over without a wait, and a screen reader hears the order", async () => {
  await execute(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
     INSERT INTO images (image_id, name, attempt, size, committed_at, last_accessed, verified_at, scrubbed_at)
     SELECT printf('%08x-bbbb-4000-8000-000000000000', i), printf('many-%04d', i), 'a', 1000000 + i, 1, i, i, 1 FROM n`,
  );
  const page = await openAsAdmin();
  await page.getByText("1 to 50 of 5,007").waitFor();
  const rows = page.getByRole("table", { name: "Stored images" }).getByRole("row");
  expect(await rows.count()).toBe(51);
  const name = page.getByRole("columnheader", { name: "Image" });
  expect(await name.getAttribute("aria-sort")).toBe("none");
  await page.getByRole("searchbox", { name: "Filter by name or id" }).fill("MANY-");
  await page.getByText("5,000 of 5,007").waitFor();
  await name.getByRole("button").click();
  await page.getByRole("cell", { name: /^many-0001/ }).waitFor();
  expect(await name.getAttribute("aria-sort")).toBe("ascending");
  await name.getByRole("button").click();
  await page.getByRole("cell", { name: /^many-5000/ }).waitFor();
  expect(await name.getAttribute("aria-sort")).toBe("descending");
  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("cell", { name: /^many-4950/ }).waitFor();
  await page.getByRole("searchbox").fill("no such image");
  await page.getByText("No stored image has “no such image” in its name or id.").waitFor();
  await page.getByRole("searchbox").fill("many-0007");
  expect(await page.getByRole("cell", { name: /^many-0007/ }).textContent()).toContain("00000007-bbbb");
  await execute("DELETE FROM images WHERE name LIKE 'many-%'");
});

it("no answer of the page may be framed or guessed at, and its scripts and styles are its own", async () => {
  const response = await fetch(`${edgeUrl()}/edge/`);
  const html = await response.text();
  expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  expect(html).not.toMatch(/<style|style=|<script>|\son\w+=/);
  for (const [, file = ""] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
    expect(file).toMatch(/^\.\/assets\/\w+-[\w-]{8}\.(js|css|svg)$/);
    const asset = await fetch(new URL(file, `${edgeUrl()}/edge/`));
    expect([asset.status, asset.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
    await asset.arrayBuffer();
  }
});
