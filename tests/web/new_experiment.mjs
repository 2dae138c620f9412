/* new_experiment: the form that starts an experiment. Part of run.mjs, whose page it uses. */
import { shot } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function new_experiment_tests({ browser, page, open, texts }) {
	await test("an experiment is defined by boxes and fields, and by the JSON", async () => {
		await page.getByRole("link", { name: "New experiment" }).click();
		await page.getByText("Still needed: a name, a source, a target, a data set to measure on.").waitFor();
		ok(
			await page.getByRole("button", { name: "Start experiment" }).isDisabled(),
			"an unfinished definition can be sent",
		);
		await page.getByLabel("Name", { exact: true }).fill("by hand");
		await page.getByLabel("Source (labelled)").selectOption("carla-day");
		await page.getByLabel("Target (to adapt to)").selectOption("camvid-dusk");
		await page.getByLabel("Measure on").selectOption("camvid-dusk");
		await page.locator("#preset-cbst").check();
		await page.locator("#preset-oracle").check();
		equal(await page.evaluate(() => document.activeElement.id), "preset-oracle", "the keyboard");
		await page.getByText("4 variants × 3 seeds = 12 results.").waitFor();
		await page.getByLabel("Seeds").fill("4, 5");
		await page.getByText("Two seeds are very little").waitFor();
		equal(
			(await texts("#role-upper_bound option")).join(),
			"none,source-only,cbst,tpld,oracle",
			"variants",
		);
		equal(
			await page.getByLabel("Upper bound", { exact: true }).inputValue(),
			"oracle",
			"the upper bound",
		);
		await page.getByText("Everything as JSON").click();
		const json = page.getByLabel("definition as JSON");
		const read = async () => JSON.parse(await json.inputValue());
		let d = await read();
		equal(
			JSON.stringify([d.seeds, d.variants.map((v) => v.name), d.variants[3].config]),
			'[[4,5],["source-only","cbst","tpld","oracle"],{"source":"camvid-dusk"}]',
			"definition",
		);
		d.variants.push({
			name: "tpld q .5",
			preset: "tpld",
			config: { self_training: { easy_portion: 0.5 } },
		});
		await json.fill(JSON.stringify(d, null, 2));
		await page.getByText("5 variants × 2 seeds").waitFor();
		await page.getByRole("button", { name: "remove oracle" }).click();
		equal(
			await page.getByLabel("Upper bound", { exact: true }).inputValue(),
			"",
			"the upper bound went with its variant",
		);
		ok(!(await page.locator("#preset-oracle").isChecked()), "the box of a removed variant");
		await json.fill('{"variants": [7]}');
		await page.getByText("variants is a list of objects").waitFor();
		d = { ...d, variants: d.variants.filter((v) => v.name !== "oracle"), upper_bound: null };
		await json.fill(JSON.stringify(d, null, 2));
		await page.getByText("Same with curl or tpldctl").click();
		ok((await texts("aside pre"))[1].includes("tpldctl experiment run"), "no command");
		await shot(page, "experiment-new");
	});

	await test("what the daemon refuses stands at its field, its variant and its line of the JSON", async () => {
		const common = page.getByLabel("common configuration as JSON");
		const config = JSON.parse(await common.inputValue());
		await common.fill("{");
		await page.getByRole("button", { name: "Start experiment" }).click();
		equal(await page.evaluate(() => document.activeElement.id), "common", "the text that is no JSON");
		await common.fill(JSON.stringify({ ...config, data: { batch: 900 } }, null, 2));
		const json = page.getByLabel("definition as JSON");
		await json.fill(
			(await json.inputValue())
				.replace('"easy_portion"', '"wrong"')
				.replace('"self_training"', '"selftraining"'),
		);
		await page.getByRole("button", { name: "Start experiment" }).click();
		await page.locator("#common-error", { hasText: "/data/batch: 900 is not in 1..64" }).waitFor();
		await page.locator("#variant-3-error", { hasText: "/config/selftraining: unknown key" }).waitFor();
		await page.getByText("2 things to fix").waitFor();
		await shot(page, "experiment-refused");
		await page.getByRole("button", { name: "/config/data/batch" }).click();
		const chosen = await json.evaluate((t) => t.value.slice(t.selectionStart, t.selectionEnd));
		equal(chosen, "900", "what is selected in the JSON");
		const line = Number(
			/line (\d+)/.exec(
				await page.getByRole("button", { name: "/config/data/batch" }).textContent(),
			)[1],
		);
		ok((await json.inputValue()).split("\n")[line - 1].includes("900"), `line ${line}`);
		await common.fill(JSON.stringify(config, null, 2));
		await json.fill(
			(await json.inputValue())
				.replace('"selftraining"', '"self_training"')
				.replace('"wrong"', '"easy_portion"'),
		);
		await page.getByRole("button", { name: "Start experiment" }).click();
		await page.getByRole("heading", { name: "by hand" }).waitFor();
		await page.locator(".head .state-running").waitFor();
		browser.complaints.length = 0; /* the browser itself reports the 422 */
	});

	await test("places of values in a JSON text are found, whatever it is made of", async () => {
		const text = '{ "a~/b" : [1, {"x": "q\\"]}"}, []] ,"c":{"d":null}}';
		const found = await page.evaluate(async (t) => {
			const { place_of } = await import("/js/json_place.js");
			const of = (p) => {
				const place = place_of(t, p);
				return t.slice(place.from, place.to);
			};
			return [
				of("/a~0~1b/1/x"),
				of("/a~0~1b/2"),
				of("/c/d"),
				of("/c/none/below"),
				of("") === t,
				place_of("{", "/a"),
			];
		}, text);
		equal(
			JSON.stringify(found),
			JSON.stringify(['"q\\"]}"', "[]", "null", '{"d":null}', true, null]),
			"places",
		);
	});

	await test("an experiment can be taken into the form again", async () => {
		await open("#/experiments/1");
		await page.getByRole("link", { name: "New experiment from this one" }).click();
		await page.getByText("7 variants × 3 seeds = 21 results.").waitFor();
		equal(
			await page.getByLabel("Name", { exact: true }).inputValue(),
			"what helps at dusk again",
			"name",
		);
		equal((await texts(".variant-rows strong")).length, 7, "variants");
	});
}
