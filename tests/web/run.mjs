/* The dashboard's pages against invented data (mock/): fast, and the same every time. The tests stand in one module per
 * page or topic; their order matters, because they share one page and each finds the runs that those before it left. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { audit_tests } from "./audit.mjs";
import { open_browser, shot } from "./browser.mjs";
import { classes_tests } from "./classes.mjs";
import { every_page_tests } from "./every_page.mjs";
import { experiments_tests } from "./experiments.mjs";
import { images_tests } from "./images.mjs";
import { inputs_tests } from "./inputs.mjs";
import { fill_cityscapes } from "./mock/cityscapes.mjs";
import { fill, start_mock } from "./mock/server.mjs";
import { modules_tests } from "./modules.mjs";
import { new_experiment_tests } from "./new_experiment.mjs";
import { new_run_tests } from "./new_run.mjs";
import { profile_tests } from "./profile.mjs";
import { published_tests } from "./published.mjs";
import { ended_run_tests, run_page_tests } from "./run_page.mjs";
import { runs_tests } from "./runs.mjs";
import { sign_in_tests, sign_out_tests } from "./sign_in.mjs";
import { equal, finish, on_failure, test } from "./tap.mjs";

const WEB = process.argv[2] || join(dirname(fileURLToPath(import.meta.url)), "../../web");
const TOKEN = "mock-token";
const browser = await open_browser();
const mock = await start_mock({ web: WEB, token: TOKEN });
const page = await browser.page();
on_failure((name) => shot(page, name));
const hash = () => page.evaluate(() => location.hash);
/* Goes to another page of the dashboard and waits until it has replaced the one on screen. */
const open = async (where) => {
	await page.evaluate(() =>
		[...document.querySelectorAll("main > *")].forEach((el) => el.setAttribute("data-old", "")),
	);
	if ((await hash()) === where) await page.reload();
	else await page.goto(`${mock.url}/${where}`);
	await page.waitForSelector("main:not([aria-busy]) > :not([data-old])");
};
const texts = (selector) => page.locator(selector).allTextContents();
const rig = { browser, mock, page, open, texts, hash, web: WEB, token: TOKEN };

await sign_in_tests(rig);
await modules_tests(rig);
fill();
await runs_tests(rig);
await new_run_tests(rig);
await run_page_tests(rig);
await audit_tests(rig);
await profile_tests(rig);
await classes_tests(rig);
await images_tests(rig);
await inputs_tests(rig);
await ended_run_tests(rig);
await experiments_tests(rig);
await new_experiment_tests(rig);
const compared = fill_cityscapes();
await published_tests({ ...rig, compared });
await every_page_tests({ ...rig, compared });
await sign_out_tests(rig);

await test("no console errors, exceptions or policy violations", async () => {
	equal(browser.complaints.join("\n"), "", "complaints");
});

await browser.close();
mock.close();
process.exitCode = finish();
