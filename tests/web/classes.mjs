/* classes: a run's classes in plots, tables and the confusion matrix. Part of run.mjs, whose page it uses. */
import { shot, until } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function classes_tests({ page, open, texts, hash }) {
	await test("classes: plot, heat map, table and confusion agree on source and rounds", async () => {
		await open("#/runs/1/classes");
		equal((await texts(".heat-table >> nth=0 >> thead th")).join(), "Class,source,0,1,2,3,4", "columns");
		equal(await page.locator(".heat-table").first().locator("tbody tr").count(), 12, "classes and mean");
		const fence = page.locator(".heat-table").first().locator("tr", { hasText: "fence" });
		ok(
			(await fence.locator("td").allTextContents()).every((t) => t === "–"),
			"an absent class has numbers",
		);
		const first = (await texts("table >> nth=1 >> tbody tr td:last-child"))[0];
		ok(first.startsWith("+"), `largest change first, got ${first}`);
		await page.getByLabel("model after").selectOption("source");
		await until(async () => (await hash()).includes("round=source"), "the round in the URL");
		await page.getByRole("button", { name: "road", exact: true }).click();
		ok((await hash()).includes("hide=3"), "the hidden class is not in the URL");
		ok(
			(await page.locator(".confusion td[title*=' % of road is predicted as ']").count()) === 11,
			"hover texts",
		);
		await shot(page, "classes");
	});
}
