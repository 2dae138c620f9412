/* new_run: the form that starts a run. Part of run.mjs, whose page it uses. */
import { shot } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function new_run_tests({ page, open, texts }) {
	await test("the form checks while typing and marks the field", async () => {
		await open("#/new");
		await page.getByText("Still needed: a name, a source, a target.").waitFor();
		await page.getByLabel("Name", { exact: true }).fill("from the form");
		await page.getByLabel("Source (labelled)").selectOption("carla-day");
		await page.getByLabel("Target (to adapt to)").selectOption("camvid-dusk");
		await page.getByLabel("Measure on").selectOption("camvid-dusk");
		await page.getByText("The daemon would accept this run").waitFor();
		ok(
			(await texts(".facts dd")).some((t) => t.includes("MiB")),
			"no estimate",
		);
		await page.getByRole("button", { name: "How long would it take?" }).click();
		await page.getByText("Time, if nothing else computes").waitFor();
		ok(
			(await texts(".facts dd")).some((t) => t.includes("1 h 30 min")),
			"no time",
		);
		equal(await page.getByTitle("Pictures a step (1 to 64)").count(), 1, "the schema's description");
		await page.getByLabel("Batch", { exact: true }).fill("900");
		await page.locator(".field.bad", { hasText: "900 is not in 1..64" }).waitFor();
		ok(await page.getByRole("button", { name: "Start run" }).isDisabled(), "a wrong run can be started");
		await page.getByLabel("Batch", { exact: true }).fill("4");
		await page.getByText("The daemon would accept this run").waitFor();
		await shot(page, "form");
	});

	await test("fields and JSON show the same configuration, and so do the commands", async () => {
		await page.getByText("Everything as JSON").click();
		const json = page.getByLabel("configuration as JSON");
		equal(JSON.parse(await json.inputValue()).data.batch, 4, "batch in the JSON");
		await json.fill((await json.inputValue()).replace(/"steps_per_round": \d+/, '"steps_per_round": 20'));
		equal(await page.getByLabel("Steps per round").inputValue(), "20", "the field");
		await page.getByText("Same with curl or tpldctl").click();
		ok(
			(await texts("aside pre")).every((t) => t.includes('"steps_per_round":20')),
			"the commands differ",
		);
	});
}
