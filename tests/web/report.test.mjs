// The report in a real browser: no requests, no errors, accessible, readable without scripts, and
// its keys and filters work. SHOTS=DIR keeps screenshots.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const runs = resolve(process.env.RUNS);
const shots = process.env.SHOTS;
const pages = {
  failing: "etcd/2026-11-22T18-04", passing: "passing/run", empty: "empty/run", setup: "setup/run",
};
let browser;

before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"],
  });
  if (shots) mkdirSync(shots, { recursive: true });
});
after(() => browser.close());

async function open(name, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options,
  });
  const page = await context.newPage();
  const url = pathToFileURL(`${runs}/${pages[name]}/report.html`).href;
  const trouble = [];
  page.on("request", (r) => {
    if (r.url().split("#")[0] !== url && !r.url().startsWith("data:")) trouble.push(r.url());
  });
  page.on("console", (m) => {
    if (m.type() !== "log") trouble.push(m.text());
  });
  page.on("pageerror", (e) => trouble.push(String(e)));
  page.on("dialog", (d) => trouble.push("dialog: " + d.message()));
  await page.goto(url);
  return { page, trouble, done: () => context.close() };
}

const looks = [
  ["wide light", { colorScheme: "light" }],
  ["wide dark", { colorScheme: "dark" }],
  ["390 light", { colorScheme: "light", viewport: { width: 390, height: 844 } }],
  ["390 dark", { colorScheme: "dark", viewport: { width: 390, height: 844 } }],
];

for (const name of Object.keys(pages)) {
  for (const [look, options] of looks) {
    test(`${name}, ${look}: no requests, no errors, accessible, fits`, async () => {
      const { page, trouble, done } = await open(name, options);
      const wide = await page.evaluate(() =>
        document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, "the page scrolls sideways");
      // the page's own policy refuses injected scripts, so axe is evaluated instead
      await page.evaluate((await import("node:fs")).readFileSync(axePath, "utf8"));
      const result = await page.evaluate(() => axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
      }));
      assert.ok(result.passes.length > 15, "axe looked at the page");
      assert.deepEqual(result.violations.map((v) =>
        `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(" | ")}`), []);
      if (shots) {
        await page.screenshot({ path: `${shots}/${name}-${look.replace(" ", "-")}.png`,
                                fullPage: true });
      }
      assert.deepEqual(trouble, []);
      await done();
    });
  }
}

test("log lines stay text", async () => {
  const { page, trouble, done } = await open("failing");
  assert.match(await page.title(), /^✗ \d+ failed · etcd-tutorial$/);
  assert.equal(await page.locator("img").count(), 0);
  assert.equal(await page.locator(".log script").count(), 0);
  assert.ok(await page.locator(".log li", { hasText: "<script>document.title" }).count() > 0);
  assert.deepEqual(trouble, []);
  await done();
});

test("reads without scripts", async () => {
  const { page, done } = await open("failing", { javaScriptEnabled: false });
  assert.equal(await page.locator("h1").innerText(), "etcd-tutorial");
  await page.getByText("violated here").first().waitFor({ state: "visible" });
  assert.equal(await page.locator(".search").isVisible(), false);
  await page.locator("label[for=show-never]").click(); // tabs are plain CSS
  assert.equal(await page.locator(".prop.failed").first().isVisible(), false);
  assert.equal(await page.locator(".prop.never").first().isVisible(), true);
  if (shots) await page.screenshot({ path: `${shots}/no-script.png`, fullPage: true });
  await done();
});

test("search, keys, log filter, zoom", async () => {
  const { page, trouble, done } = await open("failing");
  await page.keyboard.press("/");
  await page.keyboard.type("full disk");
  assert.equal(await page.locator(".prop:visible").count(), 1);
  await page.locator(".search").fill("");
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  assert.ok(await page.locator(".prop.failed[open]").first().isVisible());
  await page.locator(".prop.failed[open] .log").first().scrollIntoViewIfNeeded();
  await page.keyboard.press("]");
  const first = await page.locator(".picked").getAttribute("id");
  await page.keyboard.press("[");
  assert.notEqual(await page.locator(".picked").getAttribute("id"), first);
  await page.keyboard.press("c");
  await page.locator(".toast", { hasText: /^copied: -?\d+@\d+(\.\d+)?$/ })
    .waitFor({ state: "attached" });
  const lines = page.locator(".log").first().locator("li[data-t]:visible");
  const all = await lines.count();
  await page.locator(".logfilter").first().fill("elected leader");
  assert.ok(await lines.count() < all && await lines.count() > 0);
  assert.match(await page.locator(".logcount").first().innerText(), /^\d+ of \d+ lines$/);
  await page.locator(".logfilter").first().fill("");
  const nodes = page.locator(".toggles[aria-label='Nodes shown']").first();
  await nodes.getByRole("button", { name: "etcd1" }).click();
  assert.equal(await page.locator(".log").first().locator("li:visible", { hasText: "etcd1" })
    .filter({ has: page.locator(".node", { hasText: "etcd1" }) }).count(), 0);
  const svg = page.locator(".tl-scroll svg").first();
  const width = (await svg.boundingBox()).width;
  await page.locator("[data-zoom='2']").first().click();
  assert.ok((await svg.boundingBox()).width > width * 1.9);
  await page.keyboard.press("ArrowRight");
  assert.ok(await svg.evaluate((s) => s.parentElement.scrollLeft) > 0);
  await page.keyboard.press("0");
  assert.equal(await svg.getAttribute("width"), "100%");
  await page.keyboard.press("?");
  assert.ok(await page.locator("dialog").isVisible());
  assert.deepEqual(trouble, []);
  await done();
});

test("links of the story lead to log lines", async () => {
  const { page, done } = await open("failing");
  const links = await page.locator(".story a").evaluateAll((all) =>
    all.map((a) => a.getAttribute("href").slice(1)));
  assert.ok(links.length > 2);
  for (const id of links) {
    assert.equal(await page.locator(`[id="${id}"]`).count(), 1, id);
  }
  const ids = await page.locator("[id]").evaluateAll((all) => all.map((e) => e.id));
  assert.equal(new Set(ids).size, ids.length, "ids are unique");
  await done();
});
