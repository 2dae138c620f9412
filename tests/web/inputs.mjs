/* inputs: data sets and weights, which runs are made from. Part of run.mjs, whose page it uses. */
import { equal, test } from "./tap.mjs";

export async function inputs_tests({ browser, page, open }) {
	await test("data sets: a refused folder is explained, a good one is listed", async () => {
		await open("#/datasets");
		await page.getByLabel("Name", { exact: true }).fill("mine");
		await page.getByLabel("Folder on the daemon's machine").fill("/nowhere");
		await page.getByRole("button", { name: "Register" }).click();
		await page.locator(".problem", { hasText: "no folder /nowhere" }).waitFor();
		await page.getByLabel("Folder on the daemon's machine").fill("/srv/mine");
		await page.getByRole("button", { name: "Register" }).click();
		await page.getByRole("link", { name: "mine" }).click();
		await page.getByRole("heading", { name: "11 classes" }).waitFor();
		browser.complaints.length = 0; /* the browser itself reports the 422 */
	});

	await test("weights are uploaded from the form", async () => {
		await open("#/weights");
		await page.getByLabel("safetensors file").setInputFiles({
			name: "net.safetensors",
			mimeType: "application/octet-stream",
			buffer: Buffer.alloc(5000),
		});
		equal(await page.getByLabel("Name", { exact: true }).inputValue(), "net", "the name from the file");
		await page.getByRole("button", { name: "Upload" }).click();
		await page.getByRole("cell", { name: "net", exact: true }).waitFor();
	});
}
