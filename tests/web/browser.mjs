/* browser: Debian's Chromium through playwright-core, and pages that note what must never happen. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { skip_all } from "./tap.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const FLAGS = [
	"--no-sandbox",
	"--disable-gpu",
	"--disable-quic",
	"--no-first-run",
	"--disable-background-networking",
	"--disable-component-update",
	"--disable-sync",
];

async function playwright() {
	/* npm writes the hidden lock file last. Two suites may come here at once: the second waits for the first. */
	const done = "node_modules/.package-lock.json";
	if (!existsSync(join(HERE, done))) {
		const install = `test -e ${done} || npm ci --no-audit --no-fund`;
		const r = spawnSync("flock", ["package-lock.json", "-c", install], { cwd: HERE, encoding: "utf8" });
		if (r.status !== 0)
			skip_all(
				`npm ci could not install playwright-core: ${(r.stderr || String(r.error)).trim().split("\n").pop()}`,
			);
	}
	return import("playwright-core");
}

/* -> {page(options), close()}; every page's complaints are collected in `complaints`. */
export async function open_browser() {
	const { chromium } = await playwright();
	if (!existsSync(CHROMIUM)) skip_all(`no browser at ${CHROMIUM}`);
	const profile = mkdtempSync(join(tmpdir(), "tpldd-web-"));
	const browser = await chromium.launch({
		executablePath: CHROMIUM,
		args: FLAGS,
		env: { ...process.env, HOME: profile },
	});
	const complaints = [];
	return {
		complaints,
		async page(options) {
			const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
			const page = await context.newPage();
			page.setDefaultTimeout(15000);
			page.on("pageerror", (e) => complaints.push(`exception: ${e.stack || e}`));
			page.on("console", (m) => {
				if (
					m.type() === "error" ||
					m.type() === "warning" ||
					/Content.Security.Policy/i.test(m.text())
				)
					complaints.push(`${m.type()}: ${m.text()} (${m.location().url})`);
			});
			return page;
		},
		async close() {
			await browser.close();
			rmSync(profile, { recursive: true, force: true });
		},
	};
}

/* Screenshots are kept where SHOTS says; without it none are taken. */
export async function shot(page, name) {
	if (!process.env.SHOTS) return;
	mkdirSync(process.env.SHOTS, { recursive: true });
	await page.screenshot({ path: join(process.env.SHOTS, `${name}.png`), fullPage: true });
}

/* Waits until f() is true. */
export async function until(f, what, ms = 15000) {
	const end = Date.now() + ms;
	for (;;) {
		const value = await f();
		if (value) return value;
		if (Date.now() > end) throw new Error(`gave up waiting for ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 60));
	}
}

/* What a keyboard or screen reader user would miss: controls and pictures without a name. */
export function nameless(page) {
	return page.evaluate(() =>
		[...document.querySelectorAll("button, a, input, select, textarea, canvas, img, [role=img], th")]
			.filter((el) => {
				const label = el.labels && [...el.labels].map((l) => l.textContent).join("");
				const text =
					el.textContent || el.getAttribute("aria-label") || el.getAttribute("title") || label;
				if (el.tagName === "IMG") return !el.hasAttribute("alt");
				return (
					!(text && text.trim()) &&
					!(el.tagName === "TH" && !el.closest("table").querySelector("tbody tr"))
				);
			})
			.map((el) => el.outerHTML.slice(0, 120)),
	);
}
