/* every_page: fits the window, names its controls, can be read in the dark. Part of run.mjs, whose page it uses. */
import { nameless, shot } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

/* Contrast (WCAG) of text and background of the elements with a background of their own; colours are read back
 * from a canvas, which knows every notation. */
const contrasts = (p, selector) =>
	p.locator(selector).evaluateAll((list) => {
		const ink = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
		const luminance = (color) => {
			ink.fillStyle = color;
			ink.fillRect(0, 0, 1, 1);
			const [r, g, b] = [...ink.getImageData(0, 0, 1, 1).data].map((v) =>
				v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4,
			);
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		return list
			.filter((e) => e.style.backgroundColor)
			.map((e) => {
				const s = getComputedStyle(e);
				const [low, high] = [luminance(s.color), luminance(s.backgroundColor)].sort((a, b) => a - b);
				return { text: e.textContent, ratio: (high + 0.05) / (low + 0.05) };
			});
	});

export async function every_page_tests({ browser, mock, page, open, token, compared }) {
	const pages = [
		"#/runs",
		"#/runs/1",
		"#/experiments",
		"#/experiments/1",
		"#/experiments/new",
		"#/runs/1/classes",
		`#/runs/${compared.published.id}/classes?published=gta5-vgg16-tpld`,
		"#/runs/1/images",
		"#/runs/1/images/17?round=2&mode=all",
		"#/runs/1/config",
		"#/new",
		"#/datasets",
		"#/datasets/2",
		"#/weights",
	];

	await test("no page is wider than the window, at 1280, 800 and 700 pixels", async () => {
		for (const width of [1280, 800, 700]) {
			await page.setViewportSize({ width, height: 800 });
			for (const where of pages) {
				await open(where);
				const wide = await page.evaluate(
					() => document.documentElement.scrollWidth - window.innerWidth,
				);
				ok(wide <= 0, `${where} at ${width}: ${wide} pixels too wide`);
				if (width === 700) await shot(page, `narrow${where.replace(/[^a-z0-9]+/gi, "-")}`);
			}
		}
	});

	await test("every control and picture has a name", async () => {
		for (const where of pages) {
			await open(where);
			const list = await nameless(page);
			equal(list.join("\n"), "", where);
		}
	});

	await test("the dark scheme is dark", async () => {
		const dark = await browser.page({ colorScheme: "dark" });
		await dark.goto(`${mock.url}/#token=${token}`);
		await dark.getByRole("heading", { name: "Runs" }).waitFor();
		const [bg, text] = await dark.evaluate(() =>
			["background-color", "color"].map((p) =>
				getComputedStyle(document.documentElement)[p].match(/\d+/g).map(Number),
			),
		);
		ok(Math.max(...bg) < 60 && Math.min(...text) > 180, `background ${bg}, text ${text}`);
		await shot(dark, "dark");
		for (const [where, sign] of [
			["experiments/1", ".differences"],
			["runs/1", ".audit canvas"],
			[`runs/${compared.published.id}/classes`, ".published table"],
		]) {
			await dark.goto(`${mock.url}/#/${where}`);
			await dark.locator(sign).first().waitFor();
			await shot(dark, `dark-${where.replaceAll("/", "-")}`);
		}
		await dark.context().close();
	});

	await test("numbers can be read on every colour of the differences, light and dark", async () => {
		for (const colorScheme of ["light", "dark"]) {
			const other = await browser.page({ colorScheme });
			await other.goto(`${mock.url}/#token=${token}`);
			await other.getByRole("heading", { name: "Runs" }).waitFor();
			await other.goto(`${mock.url}/#/experiments/1`);
			await other.locator(".differences").waitFor();
			const list = await contrasts(other, ".differences td");
			ok(list.length > 60, `${list.length} coloured cells`);
			const worst = list.reduce((a, b) => (b.ratio < a.ratio ? b : a));
			ok(worst.ratio >= 3.8, `${colorScheme}: ${worst.text} has contrast ${worst.ratio.toFixed(2)}`);
			await other.context().close();
		}
	});
}
