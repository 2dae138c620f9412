/* published: a run's classes beside the published tables. Part of run.mjs, whose page it uses. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shot, until } from "./browser.mjs";
import { iou } from "./mock/state.mjs";
import { equal, ok, test } from "./tap.mjs";

const TITLE = "Compare with published results";
const SYNTHIA_HAS_NOT = ["terrain", "truck", "train"];
const NOT_AMONG_13 = ["wall", "fence", "pole"];

/* compared: the runs of mock/cityscapes.mjs. */
export async function published_tests({ page, open, texts, hash, web, compared }) {
	const { rows } = JSON.parse(readFileSync(join(web, "published.json"), "utf8"));
	const row_of = (id) => rows.find((r) => r.id === id);
	const names = Object.keys(rows[0].iou);
	const run_iou = iou(compared.published)
		.points.at(-1)
		.iou.map((v) => 100 * v);
	const mean = (list) => list.reduce((a, b) => a + b) / list.length;
	const run_mean = (without) => mean(run_iou.filter((_, k) => !without.includes(names[k]))).toFixed(1);
	const card = page.locator(".published");
	const choice = page.locator("#published-row");
	const column = (n) => texts(`.published tbody td:nth-child(${n})`);
	const choose = async (id) => {
		await choice.selectOption(id);
		await until(async () => (await hash()).includes(`published=${id}`), "the row in the URL");
		await page.waitForSelector("main:not([aria-busy])");
	};
	const classes_of = async (run, query = "") => {
		await open(`#/runs/${run.id}/classes${query}`);
		await page.locator(".confusion").waitFor();
	};

	await test("runs on other classes are not offered the published tables", async () => {
		await classes_of({ id: 1 });
		equal(await page.getByRole("heading", { name: TITLE }).count(), 0, "cards");
		await page.reload(); /* the new data sets are read */
	});

	await test("a run of a published pair stands beside TPLD's row, class by class", async () => {
		await classes_of(compared.published);
		equal(await choice.inputValue(), "gta5-resnet101-tpld", "the row");
		const tpld = row_of("gta5-resnet101-tpld");
		equal((await column(1)).join(), names.join(), "classes");
		const [run, published, difference] = await Promise.all([3, 4, 5].map(column));
		equal(run.join(), run_iou.map((v) => v.toFixed(1)).join(), "the run's IoU");
		equal(published.join(), names.map((n) => tpld.iou[n].toFixed(1)).join(), "published IoU");
		difference.forEach((text, k) => {
			const shown = Number(text.replace("−", "-"));
			ok(
				Math.abs(shown - (run_iou[k] - tpld.iou[names[k]])) < 0.051,
				`${names[k]}: a difference of ${text}`,
			);
		});
		const [tile] = await texts(".published .tile");
		ok(tile.startsWith(`mIoU, 19 classes, %${run_mean([])}51.2 published, `), `tile: ${tile}`);
		await card.getByText("a public leaderboard's copy of the TPLD paper").waitFor();
		equal(await card.locator(".chip").count(), 0, "doubts");
		await shot(page, "published");
	});

	await test("the rows are grouped by pair and backbone, and all of them are there", async () => {
		equal(
			(await choice.locator("optgroup").evaluateAll((list) => list.map((g) => g.label))).join("; "),
			"GTA5 to Cityscapes, ResNet-101; GTA5 to Cityscapes, VGG16; SYNTHIA to Cityscapes, ResNet-101; SYNTHIA to Cityscapes, VGG16",
			"groups",
		);
		equal(await choice.locator("optgroup option").count(), rows.length, "rows");
		equal(
			(await choice.locator("option").allTextContents()).at(-1),
			"TPLD, 36.0 / 41.3 %",
			"the last row",
		);
		equal(await page.getByLabel("published row").count(), 1, "choices by name");
	});

	await test("a SYNTHIA row is compared over its 16 and 13 classes; doubts are said", async () => {
		await choose("synthia-vgg16-cbst");
		const tiles = await texts(".published .tile");
		equal(tiles.length, 2, "means");
		ok(
			tiles[0].startsWith(`mIoU, 16 classes, %${run_mean(SYNTHIA_HAS_NOT)}35.4 published, `),
			`tile: ${tiles[0]}`,
		);
		ok(
			tiles[1].startsWith(
				`mIoU, 13 classes, %${run_mean([...SYNTHIA_HAS_NOT, ...NOT_AMONG_13])}40.7 published (printed as 36.1), `,
			),
			`tile: ${tiles[1]}`,
		);
		const terrain = card.locator("tr", { hasText: "terrain" });
		equal((await terrain.locator("td").allTextContents()).slice(3).join(), "–,–", "a class it has not");
		await card.getByText("often copied figure of another protocol").waitFor();
		await card.getByText("the run does not adapt SYNTHIA to Cityscapes").waitFor();
		equal((await texts(".published .chip")).join(), "doubtful,another setting", "what to keep in mind");
		await shot(page, "published-synthia");
	});

	await test("the classes sort by the difference, missing ones last, and the URL keeps row and order", async () => {
		await page.locator("#sort-difference").click();
		await until(
			async () => (await hash()).includes("published_sort=-difference"),
			"the order in the URL",
		);
		await page.waitForSelector("main:not([aria-busy])");
		const shown = async () => (await column(5)).map((t) => t.replace("−", "-"));
		const falls = (list) => list.every((v, i) => i === 0 || Number(v) <= Number(list[i - 1]));
		const list = await shown();
		ok(falls(list.slice(0, 16)), `not sorted: ${list}`);
		equal(list.slice(16).join(), "–,–,–", "classes without a difference");
		await page.reload();
		await card.locator("tbody tr").last().waitFor();
		equal((await shown()).join(), list.join(), "after reload");
		equal(await choice.inputValue(), "synthia-vgg16-cbst", "the row after reload");
		await choose("none");
		equal(await card.locator("table").count(), 0, "tables without a row");
	});

	await test("another network is said; a run that fits no pair is compared when asked", async () => {
		await classes_of(compared.small);
		equal(await choice.inputValue(), "gta5-resnet101-tpld", "the row by the data sets' layouts");
		await card.getByText("it has deeplabv2-mobilenetv2, the row ResNet-101.").waitFor();
		await classes_of(compared.other);
		equal(await choice.inputValue(), "none", "the row of another source");
		await card.getByText("Choose a row").waitFor();
	});

	await test("classes that the run's labels lack are left out of both means", async () => {
		const got = await page.evaluate(async () => {
			const { fits, means, published_tables } = await import("/js/published.js");
			const tables = await published_tables();
			const row = tables.rows.find((r) => r.id === "synthia-resnet101-tpld");
			const over = (without) =>
				means(
					tables,
					row,
					Object.fromEntries(
						Object.keys(row.iou).map((n) => [n, without.includes(n) ? null : 0.5]),
					),
				).map((m) => [m.names.length, m.run, (100 * m.published).toFixed(2), m.printed]);
			return {
				fits: [16, 13].map((n) => fits(tables, tables.classes[n])),
				other: fits(tables, ["Sky", "Building", "Road"]),
				no_wall: over(["wall"]),
				no_road: over(["road"]),
				nothing: over(Object.keys(row.iou)),
			};
		});
		equal(
			JSON.stringify(got),
			JSON.stringify({
				fits: [true, true],
				other: false,
				no_wall: [
					[15, 0.5, "49.16", null],
					[13, 0.5, "53.58", 0.535],
				],
				no_road: [[15, 0.5, "45.09", null]],
				nothing: [],
			}),
			"means",
		);
	});
}
