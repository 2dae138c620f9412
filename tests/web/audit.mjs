/* audit: the pseudo labels of a run, judged. Part of run.mjs, whose page it uses. */
import { shot } from "./browser.mjs";
import { add_run, PRESETS } from "./mock/state.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function audit_tests({ page, open, texts, hash }) {
	await test("alarms stand above the run and at their round, and lead to the classes", async () => {
		await open("#/runs/1");
		const box = page.locator(".alarm");
		await box.getByText("2 alarms in round 4, the newest").waitFor();
		ok((await box.textContent()).includes("sidewalk went from"), "the box does not say which class");
		ok((await box.textContent()).includes("earlier alarms: round 3"), "earlier rounds are not named");
		const first = await page
			.locator("main > div > *")
			.evaluateAll((list) => list.findIndex((e) => e.querySelector(".alarm")));
		const now = await page
			.locator("main > div > *")
			.evaluateAll((list) => list.findIndex((e) => e.querySelector(".now")));
		ok(first >= 0 && first < now, "the alarms are below the overview");
		equal(await page.locator(".alarm-row").count(), 2, "rounds with alarms in the table");
		ok((await texts(".alarm-row"))[1].includes("bicyclist"), "round 4's second alarm");
		await page.locator("#audit-round").selectOption("1");
		equal(await page.locator(".audit .chip.alarmed").count(), 0, "alarmed classes in round 1");
		await page.getByRole("button", { name: "Show the classes of that round" }).click();
		equal(await page.locator("#audit-round").inputValue(), "4", "the round of the classes");
		ok((await hash()).includes("audit=4"), "the round is not in the URL");
		equal(await page.evaluate(() => document.activeElement.id), "audit-round", "the keyboard");
		equal(await page.locator(".audit .chip.alarmed").count(), 2, "alarmed classes in round 4");
	});

	await test("pseudo labels are judged: shares, right ones against the threshold, classes", async () => {
		await open("#/runs/1?audit=2");
		const card = page.locator(".audit");
		const column = (n) => texts(`.audit table >> nth=-1 >> tbody td:nth-child(${n})`);
		equal(await card.locator("canvas").count(), 3, "plots");
		const said = await card.getByText("of the confident and voted labels are right").textContent();
		const [, ours, theirs, cost] =
			/In round 2, ([\d.]+) % .* would give ([\d.]+) %: voting costs ([\d.]+) points/.exec(said);
		ok(Math.abs(theirs - ours - cost) < 0.15, `the sentence does not add up: ${said}`);
		equal((await column(1)).length, 11, "classes");
		const share = (await column(2)).map(Number);
		ok(
			share.every((v, i) => i === 0 || v <= share[i - 1]),
			"not sorted by share",
		);
		ok(Math.abs(share.reduce((a, b) => a + b, 0) - 100) < 0.2, "the shares are not 100 % together");
		await page.locator("#sort-ratio").click();
		ok((await column(1))[0].includes("sidewalk"), "the class that grew most comes first");
		ok((await hash()).includes("audit_sort=-ratio"), "the order is not in the URL");
		equal((await column(9)).at(-1), "–", "accuracy of a class that is never predicted");
		await page.locator("#audit-round").selectOption("0");
		ok(
			(await column(4)).every((t) => t === "–"),
			"round 0 has a round before",
		);
		await card.getByText("The same as a table").click();
		const same = page.locator(".audit tr", { hasText: "same class as the round before" });
		equal((await same.locator("td").allTextContents()).join(), "–,88.0,90.0,92.0,94.0", "agreement");
		await page.locator("#scale-ratio").click();
		ok((await hash()).includes("scale=ratio"), "the scale is not in the URL");
		await card.getByRole("button", { name: "road", exact: true }).click();
		ok((await hash()).includes("hide_share=3"), "the hidden class is not in the URL");
		await shot(page, "audit");
		await page.reload();
		await page.locator("#scale-ratio[aria-pressed='true']").waitFor();
		equal(await page.locator("#share-3").getAttribute("aria-pressed"), "false", "road after reload");
	});

	await test("without target labels nothing is said about right ones; old rounds show no audit", async () => {
		const blind = add_run(
			{ ...PRESETS[1].config, name: "blind", source: "carla-day", target: "camvid-dusk", eval: null },
			"completed",
			1,
		);
		await open(`#/runs/${blind.id}`);
		await page.getByText("nobody knows how many pseudo labels are right").waitFor();
		equal(await page.getByRole("heading", { name: "Right pseudo labels" }).count(), 0, "accuracy plots");
		equal(await page.locator(".audit canvas").count(), 2, "plots");
		await open("#/runs/3");
		await page.getByRole("heading", { name: "Rounds" }).waitFor();
		ok(!(await page.locator(".audit").isVisible()), "an audit of rounds that were not judged");
		equal(await page.locator(".alarm").count(), 0, "alarms");
	});
}
