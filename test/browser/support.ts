/** `npm start` with its demo, and a real browser that looks at its page. Every test's page is closed, and was quiet. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { startWrangler } from "../../scripts/wrangler.ts";
import { npmStart, type Started } from "../support/node/npm-start.ts";

/** Debian's; or whatever CHROMIUM names. */
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** How long what is waited for may take on a busy machine, ms. */
const PATIENCE_MS = 90_000;

export interface Looking {
  readonly width?: number;
  readonly scheme?: "light" | "dark";
  /** How much this machine's clock is wrong, ms. */
  readonly clockWrongBy?: number;
}

let started: Started | null = null;
let browser: Browser | null = null;
const opened: { readonly page: Page; readonly faults: string[] }[] = [];

/** Starts both for the tests of a file. */
export function useBrowser(): void {
  beforeAll(async () => {
    if (!existsSync(CHROMIUM)) throw new Error(`${CHROMIUM} is missing: apt-get install chromium, or set CHROMIUM`);
    [started, browser] = await Promise.all([
      npmStart([]),
      // No sandbox: it takes no root, as which CI runs; the pages are the edge's own.
      chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] }),
    ]);
  });
  afterEach(async () => {
    const faults = opened.flatMap((one) => one.faults);
    await Promise.all(opened.splice(0).map(({ page }) => page.context().close()));
    expect(faults, "what the browser complained of").toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await started?.end();
  });
}

function running(): Started {
  if (started === null) throw new Error("npm start is not up yet");
  return started;
}

export function edgeUrl(): string {
  return `http://127.0.0.1:${running().port}`;
}

/** Opens the page, where nobody is logged in. A script error, a refused policy or a foreign request fails the test. */
export async function open({ width = 1280, scheme = "light", clockWrongBy = 0 }: Looking = {}): Promise<Page> {
  if (browser === null) throw new Error("the browser is not up yet");
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme, locale: "en" });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults: string[] = [];
  opened.push({ page, faults });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("dialog", (dialog) => faults.push(`a dialog of the browser: ${dialog.message()}`));
  page.on("console", (message) => {
    // A refusal of the API is one of what is tested, and the browser notes each.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(`${edgeUrl()}/`)) faults.push(`a request to ${request.url()}`);
  });
  if (clockWrongBy !== 0) {
    await page.addInitScript((by) => {
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(given?: number) {
          super(given ?? Real.now() + by);
        }
        static override now() {
          return Real.now() + by;
        }
      } as DateConstructor;
    }, clockWrongBy);
  }
  await page.goto(`${edgeUrl()}/edge/`);
  return page;
}

/** Opens the page with the demo's administrator logged in, by his token. */
export async function openAsAdmin(looking: Looking = {}): Promise<Page> {
  const page = await open(looking);
  await useToken(page, "admin");
  await page.getByRole("heading", { name: "Stored images" }).waitFor();
  return page;
}

export async function useToken(page: Page, token: string): Promise<void> {
  await page.getByText("Use a token instead").click();
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Use this token" }).click();
}

export async function useCredential(page: Page, id: string, secret: string): Promise<void> {
  await page.getByLabel("ID").fill(id);
  await page.getByLabel("Secret").fill(secret);
  await page.getByRole("button", { name: "Log in" }).click();
}

/** Something done by the demo origin's control. @param path behind /_demo */
export async function control(method: string, path: string, body: unknown): Promise<void> {
  const [base] = /http:\/\/[^\s/]+\/_demo/.exec(running().output) ?? [];
  const response = await fetch(`${base}${path}`, { method, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`the demo origin refused: ${response.status} ${await response.text()}`);
}

export interface NewImage {
  readonly name: string;
  readonly size: number;
  /** Bytes per second at which the origin sends it. */
  readonly rate?: number;
}

/** @returns its id */
export async function createImage({ name, size, rate }: NewImage): Promise<string> {
  const id = crypto.randomUUID();
  await control("PUT", `/images/${id}`, { size, name, owner: "admin", visibility: "public" });
  if (rate !== undefined) await control("PUT", `/images/${id}/faults`, { rate });
  return id;
}

/** Downloads an image through the edge. @returns its Cache-Status */
export async function download(id: string): Promise<string | null> {
  const response = await fetch(`${edgeUrl()}/v2/images/${id}/file`, { headers: { "x-auth-token": "demo" } });
  await response.arrayBuffer();
  return response.headers.get("cache-status");
}

/** Asks the edge's API as the administrator. */
export async function api(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${edgeUrl()}/edge/api/${path}`, {
    method,
    headers: { "x-auth-token": "admin", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Runs SQL in the running edge's D1. */
export async function execute(sql: string): Promise<void> {
  const { persist } = running();
  const file = join(persist, "execute.sql");
  await writeFile(file, sql);
  const where = ["d1", "execute", "CATALOG", "--local", "--persist-to", persist];
  const wrangler = startWrangler([...where, "--yes", "--file", file], "quiet");
  if ((await wrangler.ended) !== 0) throw new Error(`D1 does not take it:\n${wrangler.output()}`);
}

/** What axe-core finds wrong with the page as it is now, for who can't see it or has no mouse. */
export async function barriers(page: Page): Promise<unknown[]> {
  // Not as a script of the page, which its policy would refuse.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run: () => Promise<{ violations: Violation[] }> } };
    interface Violation {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
    }
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => [html, failureSummary])]);
  });
}
