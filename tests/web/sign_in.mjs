/* sign_in: signing in and out, and the dashboard before its first run. Part of run.mjs, whose page it uses. */
import { equal, ok, test } from "./tap.mjs";

export async function sign_in_tests({ browser, mock, page, texts, token }) {
	await test("a wrong token is refused, the right one opens the runs", async () => {
		await page.goto(mock.url);
		await page.getByLabel("Token").fill("wrong");
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByText("does not accept this token").waitFor();
		await page.getByLabel("Token").fill(token);
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.getByRole("heading", { name: "Runs" }).waitFor();
		browser.complaints.length = 0; /* the browser itself reports the 401 */
	});

	await test("without runs the page says what to do next, with curl", async () => {
		await page.getByText("No run yet").waitFor();
		ok(
			(await texts(".empty pre")).some((t) => t.includes("curl") && t.includes("/api/v1/runs")),
			"no curl example",
		);
	});

	await test("a token in the URL fragment signs in and leaves the address bar", async () => {
		const other = await browser.page();
		await other.goto(`${mock.url}/#token=${token}`);
		await other.getByRole("heading", { name: "Runs" }).waitFor();
		ok(!(await other.evaluate(() => location.href)).includes(token), "the token is still in the URL");
		await other.context().close();
	});

	await test("a new tab takes the token over from a signed-in one, also on a deep link", async () => {
		const other = await page.context().newPage();
		await other.goto(`${mock.url}/#/datasets/2`);
		await other.getByRole("heading", { name: "camvid-dusk" }).waitFor();
		await other.close();
	});
}

export async function sign_out_tests({ page }) {
	await test("signing out forgets the token", async () => {
		await page.getByRole("button", { name: "sign out" }).click();
		await page.getByLabel("Token").waitFor();
		equal(await page.evaluate(() => sessionStorage.length), 0, "entries in the session storage");
	});
}
