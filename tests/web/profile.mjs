/* profile: where the time of a run's steps goes. Part of run.mjs, whose page it uses. */
import { shot } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function profile_tests({ page, open, texts, hash }) {
	await test("the profile sorts by time and by the network's order, and shows earlier rounds", async () => {
		await open("#/runs/1");
		const column = (n) => texts(`.profile tbody td:nth-child(${n})`);
		await page.getByText("phase 2 training, round 4: crop 512 × 1024, 2 threads, kernels f4").waitFor();
		const ms = (await column(5)).map(Number);
		equal(ms.length, 32, "layers and what lies around them");
		ok(
			ms.every((v, i) => i === 0 || v <= ms[i - 1]),
			"not sorted by time",
		);
		const shares = (await column(6)).reduce((a, t) => a + Number(t), 0);
		ok(Math.abs(shares - 100) < 2, `the rows explain ${shares} % of the step`);
		const longest = await page
			.locator(".profile tbody tr")
			.first()
			.locator(".time-bar span")
			.evaluateAll((spans) => spans.map((s) => parseFloat(s.style.width)));
		ok(Math.abs(longest[0] + longest[1] - 100) < 0.1 && longest[1] > longest[0], `widths ${longest}`);
		await page.locator("#sort-order").click();
		await page.locator("#sort-order").click();
		equal(
			(await column(2)).slice(0, 3).join(),
			"features.0.0,maxpool,features.1.conv.0",
			"network order",
		);
		equal((await column(2)).slice(-5)[0], "waiting for data", "what lies around comes last");
		ok((await hash()).includes("time=order"), "the order is not in the URL");
		equal((await column(7))[1], "–", "GFLOP/s of a pool");
		await page.locator("#profile-round").selectOption("source");
		await page.getByText("steps of source training: crop").waitFor();
		ok((await hash()).includes("profile=source"), "the round is not in the URL");
		await page.reload();
		await page.getByText("steps of source training: crop").waitFor();
		equal(await page.locator("#profile-round").inputValue(), "source", "the round after reload");
		await shot(page, "profile");
	});
}
