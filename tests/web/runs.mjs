/* runs: the table of runs. Part of run.mjs, whose page it uses. */
import { equal, ok, test } from "./tap.mjs";

export async function runs_tests({ page, texts, hash }) {
	await test("the table of runs sorts and filters, and the URL keeps both", async () => {
		await page.getByRole("link", { name: "carla-to-dusk tpld" }).waitFor();
		equal((await texts("tbody tr td:nth-child(1)")).join(), "3,2,1", "newest first");
		await page.getByRole("button", { name: "Name" }).click();
		equal((await texts("tbody tr td:nth-child(1)")).join(), "3,1,2", "by name");
		await page.getByRole("button", { name: "finished" }).click();
		equal(await page.locator("tbody tr").count(), 2, "finished runs");
		ok(
			(await hash()).includes("sort=name") && (await hash()).includes("show=final"),
			"the URL lost the view",
		);
		await page.reload();
		await page.locator("tbody tr").nth(1).waitFor();
		equal(await page.locator("tbody tr").count(), 2, "finished runs after reload");
		ok((await texts("tbody .pill")).includes("failed"), "no failed pill");
	});
}
