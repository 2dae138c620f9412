/* run_page: a run's page while it works and after it has ended. Part of run.mjs, whose page it uses. */
import { shot, until } from "./browser.mjs";
import { add_run, PRESETS } from "./mock/state.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function run_page_tests({ browser, mock, page, open }) {
	await test("a run starts from the form, and its page follows it live", async () => {
		await page.getByText("The daemon would accept this run").waitFor();
		await page.getByRole("button", { name: "Start run" }).click();
		await page.getByRole("heading", { name: "from the form" }).waitFor();
		await page.locator(".head .state-running").waitFor();
		const first = await page.locator(".progress-line strong").textContent();
		await until(
			async () => (await page.locator(".progress-line strong").textContent()) !== first,
			"progress",
		);
		await page.getByText("round 0 (1 of 5), scoring, image").waitFor();
		ok((await page.locator(".uplot").count()) >= 1, "no curves");
		await shot(page, "run-live");
	});

	await test("pausing asks first and says what is kept; resuming continues", async () => {
		await page.getByRole("button", { name: "Pause" }).click();
		const dialog = page.getByRole("dialog");
		ok((await dialog.textContent()).includes("optimiser state"), "the dialog does not say what is kept");
		await dialog.getByRole("button", { name: "Keep as it is" }).click();
		equal(await page.getByRole("dialog").count(), 0, "dialogs");
		await page.getByRole("button", { name: "Pause" }).click();
		await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
		await page.locator(".head .state-paused").waitFor();
		await page.getByText("Paused at").waitFor();
		await page.getByRole("button", { name: "Resume" }).click();
		await page.locator(".head .state-running").waitFor();
	});

	await test("a broken stream falls back to polling and comes back where it was", async () => {
		mock.hold_streams(true);
		mock.drop_streams();
		await page.locator(".status.polling").waitFor();
		const before = await page.locator(".progress-line strong").textContent();
		await until(
			async () => (await page.locator(".progress-line strong").textContent()) !== before,
			"progress by polling",
		);
		mock.hold_streams(false);
		await page.locator(".status.live").waitFor({ timeout: 20000 });
		ok(mock.resumed() !== null, "the client did not send Last-Event-ID");
		browser.complaints.length = 0; /* the browser itself reports the 503 */
	});

	await test("cancelling says that it is for good", async () => {
		const config = PRESETS.find((p) => p.name === "cbst").config;
		await page.getByRole("button", { name: "Cancel" }).click();
		ok((await page.getByRole("dialog").textContent()).includes("cannot be resumed"), "no warning");
		await page.getByRole("button", { name: "Cancel the run" }).click();
		await page.locator(".head .state-cancelled").waitFor();
		add_run(
			{
				...config,
				name: "<img src=x onerror=alert(1)>",
				source: "carla-day",
				target: "camvid-dusk",
				eval: null,
			},
			"paused",
			0.2,
		);
	});

	await test("names are text, never markup", async () => {
		await open("#/runs");
		await page.getByRole("link", { name: "<img src=x" }).waitFor();
		equal(await page.locator("main img").count(), 0, "pictures in the table");
	});

	await test("the failed run shows why, and may be tried again or deleted", async () => {
		await open("#/runs/2");
		await page.locator(".problem", { hasText: "loss is not a number" }).waitFor();
		const buttons = await page.locator(".head button").allTextContents();
		equal(buttons.join(), "Resume,Delete", "what is offered");
	});
}

export async function ended_run_tests({ page, open }) {
	await test("a run's configuration can be taken into the form again", async () => {
		await open("#/runs/3/config");
		await page.getByRole("link", { name: "New run from this one" }).click();
		await page.getByText("The daemon would accept this run").waitFor();
		equal(
			await page.getByLabel("Name", { exact: true }).inputValue(),
			"carla-to-dusk mrkld again",
			"name",
		);
		equal(await page.locator(".preset input:checked").inputValue(), "crst-mrkld", "preset");
	});

	await test("a finished run can be deleted after a question", async () => {
		await open("#/runs/2");
		await page.getByRole("button", { name: "Delete" }).click();
		await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
		await page.getByRole("heading", { name: "Runs" }).waitFor();
		await until(
			async () => (await page.getByRole("link", { name: "high learning rate" }).count()) === 0,
			"the row to go",
		);
	});
}
