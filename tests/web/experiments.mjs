/* experiments: their list and their pages. Part of run.mjs, whose page it uses. */
import { readFileSync } from "node:fs";
import { shot, until } from "./browser.mjs";
import { experiments, fill_experiments } from "./mock/experiments.mjs";
import { runs, set_state } from "./mock/state.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function experiments_tests({ page, open, texts, hash }) {
	await test("without experiments the page says what one is, with curl", async () => {
		await open("#/experiments");
		await page.getByText("No experiment yet").waitFor();
		ok((await texts(".empty pre"))[0].includes("/api/v1/experiments"), "no curl example");
		await shot(page, "experiments-none");
	});

	await test("an experiment compares its variants with the baseline", async () => {
		fill_experiments();
		await open("#/experiments");
		equal(
			(await texts("tbody td:nth-child(4)")).join(),
			"3 variants × 2 seeds,7 variants × 3 seeds",
			"grids",
		);
		await shot(page, "experiments");
		await page.getByRole("link", { name: "what helps at dusk" }).click();
		await page.getByRole("heading", { name: "what helps at dusk" }).waitFor();
		await page.getByText("Finished: 7 variants × 3 seeds, 21 runs.").waitFor();
		const row = (name) =>
			page
				.locator("main table >> nth=0")
				.locator("tbody tr", { has: page.locator("strong", { hasText: new RegExp(`^${name}$`) }) });
		equal(
			(await row("source-only").locator("td").allTextContents()).join("|"),
			"source-only baseline|3 of 3|54.0 ± 2.1|52.0 – 56.2|–|–|–",
			"the baseline",
		);
		const tpld = await row("tpld").first().locator("td").allTextContents();
		equal(tpld.slice(1).join("|"), "3 of 3|58.3 ± 1.0|57.1 – 58.9|+4.3 ± 1.4|0.033|35", "tpld");
		await page
			.getByText(
				"tpld: 58.3 ± 1.0 % over 3 seeds, 4.3 points above source-only, better in 3 of 3 seeds, p = 0.033.",
			)
			.waitFor();
		await page.getByText("3 seeds are weak evidence").waitFor();
		await page.locator("#sort-difference").click();
		ok(
			(await texts("main table >> nth=0 >> tbody td:nth-child(1)"))[0].startsWith("oracle"),
			"not sorted by difference",
		);
		equal(
			(await texts("main table >> nth=0 >> tbody td:nth-child(1)")).at(-1),
			"source-only baseline",
			"no difference comes last",
		);
		ok((await hash()).includes("sort=-difference"), "the order is not in the URL");
		await page.getByText("What these numbers are").click();
		await page.getByText("Two-sided paired t-test").waitFor();
		await shot(page, "experiment");
	});

	await test("the dot plot places every seed, says its value, and opens its run by keyboard", async () => {
		equal(await page.locator(".dot-plot li .dot-mark").count(), 21, "dots");
		equal(await page.locator(".dot-track .dot-base").count(), 7, "the baseline goes through every row");
		equal(
			await page.locator(".dot-track .dot-upper").count(),
			7,
			"the upper bound goes through every row",
		);
		const left = (selector) =>
			page
				.locator(selector)
				.evaluateAll((list) =>
					list.map((e) => e.getBoundingClientRect().left + e.getBoundingClientRect().width / 2),
				);
		const means = await left(".dot-track .dot-mean");
		const dots = await left(".dot-plot li:nth-child(5) .dot-mark");
		ok(
			Math.abs(dots.reduce((a, b) => a + b, 0) / 3 - means[4]) < 1,
			"the bar is not at the mean of its dots",
		);
		const base = await left(".dot-plot li:nth-child(5) .dot-base");
		ok(Math.abs(base[0] - means[0]) < 2, "the baseline's line is not at its mean");
		const dot = page.locator("#dot-4-2");
		await dot.focus();
		const tip = dot.locator(".tip");
		ok(await tip.isVisible(), "no values at the focused dot");
		ok(
			/^tpld, seed 2: \d\d\.\d %, \+\d\.\d against source-only; run \d+$/.test(await tip.textContent()),
			`tip: ${await tip.textContent()}`,
		);
		const target = await dot.getAttribute("href");
		await shot(page, "experiment-dot");
		await page.keyboard.press("Enter");
		await page.getByRole("heading", { name: "what helps at dusk / tpld / seed 2" }).waitFor();
		equal(await hash(), target, "the run");
		await page.goBack();
		await page.getByRole("heading", { name: "what helps at dusk" }).waitFor();
	});

	await test("differences by class are coloured by sign and marked where a class has no labels", async () => {
		const table = page.locator(".differences");
		await table.locator("tbody tr").last().waitFor();
		equal((await table.locator("thead th").allTextContents()).length, 8, "class, baseline, six variants");
		const cells = await table
			.locator("tbody td:not(:nth-child(2))")
			.evaluateAll((list) =>
				list.map((td) => ({ text: td.textContent, color: td.style.backgroundColor })),
			);
		const up = cells.filter((c) => c.text.startsWith("+")),
			down = cells.filter((c) => c.text.startsWith("−"));
		ok(up.length > 5 && down.length > 5, `${up.length} up, ${down.length} down`);
		ok(
			up.every((c) => c.color.includes("--heat-up")) &&
				down.every((c) => c.color.includes("--heat-down")),
			"a colour does not fit its sign",
		);
		ok(
			(await table.locator("tr", { hasText: "fence" }).locator("td").allTextContents()).every(
				(t) => t === "–",
			),
			"an absent class has numbers",
		);
	});

	await test("an experiment's table comes as CSV", async () => {
		const [file] = await Promise.all([
			page.waitForEvent("download"),
			page.getByRole("button", { name: "Download CSV" }).click(),
		]);
		equal(file.suggestedFilename(), "what helps at dusk.csv", "the file's name");
		const lines = readFileSync(await file.path(), "utf8")
			.trim()
			.split("\n");
		equal(lines.length, 22, "lines");
		ok(lines[0].startsWith("variant,seed,run,state,miou,sky"), "the head");
	});

	await test("a running experiment shows what waits and failed, and follows its runs", async () => {
		await open("#/experiments/2");
		await page.getByText("3 variants × 2 seeds: 3 of 6 runs done").waitFor();
		equal(
			(await texts(".cell-grid tbody .pill")).join(),
			"completed,completed,completed,completed,completed,failed,paused,waiting",
			"states",
		);
		equal(await page.locator(".cell-grid a").count(), 7, "cells with a run are links");
		await page.getByText("2 seeds are weak evidence").waitFor();
		await page
			.getByText(
				"cbst: 57.6 % over 1 seed, 1.4 points above source-only, better in 1 of 1 seed, too few seeds to test.",
			)
			.waitFor();
		equal(await page.locator(".dot-mark.open").count(), 2, "dots of runs that are not finished");
		await shot(page, "experiment-running");
		const paused = runs.find((r) => r.id === experiments[1].cells[2][0].id);
		await page.getByText("As JSON").click();
		set_state(paused, "queued", "resume asked for");
		await page.locator(".cell-grid .state-running").waitFor();
		ok(await page.getByText("Post it to /api/v1/experiments").isVisible(), "what was open has closed");
	});

	await test("cancelling an experiment asks; deleting it offers to delete the runs", async () => {
		await page.getByRole("button", { name: "Cancel" }).click();
		ok((await page.getByRole("dialog").textContent()).includes("no more are started"), "no warning");
		await page.getByRole("button", { name: "Cancel the experiment" }).click();
		await page.locator(".head .state-cancelled").waitFor();
		const before = runs.length;
		await page.getByRole("button", { name: "Delete" }).click();
		await page.getByLabel("delete its runs too").check();
		await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
		await page.getByRole("heading", { name: "Experiments" }).waitFor();
		await until(
			async () => (await page.getByRole("link", { name: "two seeds" }).count()) === 0,
			"the row to go",
		);
		equal(before - runs.length, 5, "runs deleted");
	});
}
