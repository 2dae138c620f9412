/* The dashboard against the daemon itself: from two folders of pictures to a hard image's overlays.
 * usage: e2e.mjs TPLDD [SOURCE_ROOT], or with BASE_URL and TOKEN of a daemon that runs already. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nameless, open_browser, shot, until } from "./browser.mjs";
import { encode_png } from "./mock/png.mjs";
import { HEIGHT, photo, truth, WIDTH } from "./mock/scene.mjs";
import { equal, finish, ok, on_failure, skip_all, step, test } from "./tap.mjs";

const SOURCES = 8,
	TARGETS = 20,
	TRAINING_MS = 240000;
const work = mkdtempSync(join(tmpdir(), "tpldd-e2e-"));
let daemon = null;

/* images/ and labels/ as the layout "folder" wants them. */
function make_pictures(name, first, count) {
	const root = join(work, name);
	mkdirSync(join(root, "images"), { recursive: true });
	mkdirSync(join(root, "labels"));
	for (let i = 0; i < count; i++) {
		const file = `${name}_${String(i).padStart(3, "0")}.png`;
		writeFileSync(join(root, "images", file), photo(first + i));
		writeFileSync(join(root, "labels", file), encode_png("grey", WIDTH, HEIGHT, truth(first + i)));
	}
	return root;
}

async function start_daemon(program, root) {
	const state_dir = join(work, "state"),
		config = join(work, "tpldd.conf");
	mkdirSync(state_dir);
	writeFileSync(
		config,
		`[server]\nlisten = 127.0.0.1:0\n[storage]\nstate_dir = ${state_dir}\nmin_free = 1M\n[trainer]\ncheckpoint_seconds = 2\n` +
			(root
				? `[paths]\nweb_dir = ${join(root, "web")}\nmigrations_dir = ${join(root, "migrations")}\n`
				: ""),
	);
	daemon = spawn(program, ["--config", config], { stdio: ["ignore", "ignore", "pipe"] });
	let log = "";
	daemon.stderr.on("data", (d) => {
		log += d;
	});
	daemon.ended = new Promise((resolve) =>
		daemon.on("exit", (code, signal) => resolve({ code, signal, log: () => log })),
	);
	const endpoint = join(state_dir, "endpoint");
	await until(
		() => {
			if (daemon.exitCode !== null) throw new Error(`tpldd ended with ${daemon.exitCode}: ${log}`);
			return existsSync(endpoint) && existsSync(join(state_dir, "token"));
		},
		"the daemon's endpoint",
		20000,
	);
	return {
		url: readFileSync(endpoint, "utf8").trim(),
		token: readFileSync(join(state_dir, "token"), "utf8").trim(),
	};
}

const [program, root] = process.argv.slice(2);
if (!process.env.BASE_URL && (!program || !existsSync(program))) skip_all(`no daemon at ${program}`);
const browser = await open_browser();
const server = process.env.BASE_URL
	? { url: process.env.BASE_URL, token: process.env.TOKEN }
	: await start_daemon(program, root);
const source = make_pictures("day", 0, SOURCES),
	target = make_pictures("dusk", 500, TARGETS);
const page = await browser.page();
page.setDefaultTimeout(30000);
on_failure((name) => shot(page, name));
const stamp = process.env.BASE_URL ? `-${Date.now()}` : "";
const menu = (name) => page.locator("nav").getByRole("link", { name, exact: true });
const texts = (selector) => page.locator(selector).allTextContents();
const state_is = (state, timeout) => page.locator(`.head .state-${state}`).waitFor({ timeout });

await step("the token in the fragment signs in", async () => {
	await page.goto(`${server.url}/#token=${server.token}`);
	await page.getByRole("heading", { name: "Runs" }).waitFor();
	await page.locator(".status.live").waitFor();
	if (!process.env.BASE_URL) await page.getByText("No run yet").waitFor();
	await shot(page, "e2e-first-steps");
});

await step("both data sets are registered by the form", async () => {
	for (const [name, root] of [
		[`day${stamp}`, source],
		[`dusk${stamp}`, target],
	]) {
		await menu("Data sets").click();
		await page.getByRole("heading", { name: "Register a data set" }).waitFor();
		await page.getByLabel("Name", { exact: true }).fill(name);
		await page.getByLabel("Folder on the daemon's machine").fill(root);
		await page.getByLabel("Class set", { exact: true }).selectOption("camvid-11");
		await page.getByRole("button", { name: "Register" }).click();
		await page.getByRole("link", { name, exact: true }).waitFor();
	}
	await page.getByRole("link", { name: `dusk${stamp}`, exact: true }).click();
	await page.getByRole("heading", { name: "11 classes" }).waitFor();
	await until(
		() => page.evaluate(() => [...document.querySelectorAll(".thumb")].some((i) => i.naturalWidth > 0)),
		"a thumbnail",
	);
	await shot(page, "e2e-dataset");
});

await step("a folder that is not there is refused with its path", async () => {
	await menu("Data sets").click();
	await page.getByRole("heading", { name: "Register a data set" }).waitFor();
	await page.getByLabel("Name", { exact: true }).fill("nowhere");
	await page.getByLabel("Folder on the daemon's machine").fill(join(work, "nowhere"));
	await page.getByRole("button", { name: "Register" }).click();
	await page.locator(".problem", { hasText: "nowhere" }).waitFor();
	browser.complaints.length = 0; /* the browser itself reports the refused request */
});

await step("the form names a wrong value at its field and accepts the right one", async () => {
	await menu("New run").click();
	await page.getByRole("heading", { name: "New run" }).waitFor();
	const set = (id, value) => page.locator(`#f-${id}`).fill(value);
	await page.getByLabel("Name", { exact: true }).fill(`end to end${stamp}`);
	await page.getByLabel("Source (labelled)").selectOption(`day${stamp}`);
	await page.getByLabel("Target (to adapt to)").selectOption(`dusk${stamp}`);
	await page.getByLabel("Measure on").selectOption(`dusk${stamp}`);
	await page.getByLabel("Architecture").selectOption("deeplabv2-mobilenetv2");
	await set("model-output_stride", "16");
	await set("data-crop", "64, 128");
	await set("data-batch", "900");
	await page.locator(".field.bad", { hasText: "900" }).waitFor();
	await set("data-batch", "2");
	await set("source_training-steps", "80");
	await set("self_training-phase1_rounds", "2");
	await set("self_training-phase2_rounds", "1");
	await set("self_training-steps_per_round", "30");
	await page.getByText("The daemon would accept this run").waitFor();
	ok((await texts(".facts dd")).length >= 3, "no estimate of memory, disk and steps");
	await shot(page, "e2e-form");
});

await step("the run starts and its progress moves by itself", async () => {
	await page.getByRole("button", { name: "Start run" }).click();
	await page.getByRole("heading", { name: `end to end${stamp}` }).waitFor();
	await state_is("running");
	await page.getByText("Source model, source training, step").waitFor();
	const sentence = () => page.locator(".sentence").textContent();
	const first = await sentence();
	await until(async () => (await sentence()) !== first, "progress", 30000);
	await shot(page, "e2e-running");
});

await step("pause frees the cores, resume continues", async () => {
	await page.getByRole("button", { name: "Pause" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
	await state_is("paused");
	const at = await page.locator(".sentence").textContent();
	await page.waitForTimeout(1500);
	equal(await page.locator(".sentence").textContent(), at, "a paused run");
	await shot(page, "e2e-paused");
	await page.getByRole("button", { name: "Resume" }).click();
	await state_is("running");
});

await step("the run completes, with curves, rounds, checkpoints and its history", async () => {
	await until(
		async () => {
			const state = (await page.locator(".head .pill").first().textContent()).trim();
			if (state === "failed") throw new Error(await page.locator(".problem").first().textContent());
			return state === "completed";
		},
		"the run to complete",
		TRAINING_MS,
	).catch(async (e) => {
		throw new Error(`${e.message}; ${await page.locator(".sentence").textContent()}`);
	});
	await until(
		async () =>
			(await page
				.locator("section:has(> .card-head h2:text-is('Rounds')) tbody tr:not(.alarm-row)")
				.count()) >= 3,
		"three rounds",
	);
	await page.reload();
	await page.locator(".uplot").first().waitFor();
	equal(
		(await texts(".tile-value")).slice(0, 3).every((t) => /^\d/.test(t)),
		true,
		"mIoU before, now and best",
	);
	const history = (await texts("section:has(> h2:text-is('State history')) .pill")).join(" ");
	for (const state of ["queued", "running", "paused", "completed"])
		ok(history.includes(state), `${state} is not in the history: ${history}`);
	equal(await page.getByRole("button", { name: "Download" }).count(), 4, "checkpoints");
	const [file] = await Promise.all([
		page.waitForEvent("download"),
		page.getByRole("button", { name: "Download" }).first().click(),
	]);
	ok(file.suggestedFilename().endsWith(".safetensors"), file.suggestedFilename());
	await shot(page, "e2e-completed");
});

await step("classes: IoU from source to the last round, and the confusion matrix", async () => {
	await page.getByRole("link", { name: "Classes" }).click();
	await page.locator(".heat-table").first().waitFor();
	equal((await texts(".heat-table >> nth=0 >> thead th")).join(), "Class,source,0,1,2", "columns");
	await page.getByLabel("model after").selectOption("source");
	await page.waitForFunction(() => location.hash.includes("round=source"));
	await page.locator(".confusion").waitFor();
	await shot(page, "e2e-classes");
});

await step("images: the hard ones, least confident first", async () => {
	await page.getByRole("link", { name: "Images", exact: true }).click();
	await page.getByText(`of ${TARGETS} images`).first().waitFor();
	await page.getByRole("button", { name: "hard", exact: true }).click();
	await page.waitForFunction(() => location.hash.includes("split=hard"));
	await page.locator(".image-card").first().waitFor();
	await page.locator("#f-split-hard[aria-pressed='true']").waitFor();
	ok(
		(await texts(".image-card .chip")).every((t) => t === "hard"),
		"an easy image among the hard ones",
	);
	const confidence = (await texts(".image-meta b")).map(Number);
	ok(
		confidence.every((c, i) => i === 0 || c >= confidence[i - 1]),
		"not sorted by confidence",
	);
	await until(
		() => page.evaluate(() => document.querySelector(".image-card img").naturalWidth > 0),
		"a thumbnail",
	);
	await page.locator(".histogram .split-mark").waitFor();
	await shot(page, "e2e-images-hard");
});

await step("features: every image has its mark, and the one under the pointer is shown", async () => {
	await page.getByRole("button", { name: "Show features" }).click();
	await page.locator(".feature-map").waitFor();
	equal(await page.locator(".feature-map a .mark").count(), TARGETS, "marks of target images");
	ok((await page.locator(".feature-map g .mark.source").count()) > 0, "no marks of source images");
	await page.locator(".feature-map g").first().dispatchEvent("pointerenter");
	await until(
		() => page.evaluate(() => document.querySelector(".glass img").naturalWidth > 0),
		"a source image beside the drawing",
	);
	await shot(page, "e2e-features");
});

await step("a hard image: every layer, opacity, classes, history, next in the filter", async () => {
	await page.locator(".image-card").first().click();
	await page.getByText("Why hard").waitFor();
	const sum = () =>
		page.evaluate(
			() =>
				new Promise((resolve) =>
					requestAnimationFrame(() =>
						requestAnimationFrame(() => {
							resolve(document.querySelector(".panel canvas").toDataURL());
						}),
					),
				),
		);
	equal(await page.locator(".legend-table input[data-class]").count(), 11, "classes in the legend");
	const areas = (await texts(".legend-table tbody tr td:nth-child(2)")).map((t) => Number(t) || 0);
	ok(
		Math.abs(areas.reduce((a, b) => a + b) - 100) < 1.5,
		`areas add up to ${areas.reduce((a, b) => a + b)} %`,
	);
	const painted = await sum();
	await page.getByLabel("opacity").fill("0");
	ok((await sum()) !== painted, "opacity changes nothing");
	await page.getByLabel("opacity").fill("0.7");
	for (const layer of [
		"prediction",
		"pseudo_confident",
		"pseudo_voted",
		"pseudo_final",
		"origin",
		"confidence",
	]) {
		await page.locator(`#layer-${layer}`).click();
		equal(await page.getByText("not kept for this round").count(), 0, `${layer} is there`);
		await shot(page, `e2e-image-${layer}`);
	}
	await page.locator("#layer-prediction").click();
	const all = await sum();
	await page.getByLabel("all classes").click();
	ok((await sum()) !== all, "hiding all classes changes nothing");
	await page.getByLabel("all classes").click();
	await page.locator(".panel canvas").hover({ position: { x: 200, y: 200 } });
	await page.locator(".readout", { hasText: "predicted" }).waitFor();
	equal(await page.locator("tr:has(td a):has(.chip)").count(), 3, "rounds in the history");
	const name = await page.locator("h1").textContent();
	await page.locator("h1").click();
	await page.keyboard.press("ArrowRight");
	await page.waitForFunction((n) => document.querySelector("h1").textContent !== n, name);
	equal(await page.locator(".head .chip").textContent(), "hard", "verdict of the next one");
	await page.getByRole("button", { name: "all layers" }).click();
	equal(await page.locator(".panel canvas").count(), 7, "panels");
	equal((await nameless(page)).join("\n"), "", "controls without a name");
	await shot(page, "e2e-image-all");
});

await step("the table of runs shows the result", async () => {
	await menu("Runs").click();
	await page
		.locator("tr", { hasText: `end to end${stamp}` })
		.locator(".state-completed")
		.waitFor();
	await shot(page, "e2e-runs");
});

await step("an experiment is refused at its place, then compares two variants over two seeds", async () => {
	await menu("Experiments").click();
	await page.locator(".head").getByRole("link", { name: "New experiment" }).click();
	await page.getByLabel("Name", { exact: true }).fill(`grid${stamp}`);
	await page.getByLabel("Seeds").fill("1, 2");
	await page.getByLabel("Source (labelled)").selectOption(`day${stamp}`);
	await page.getByLabel("Target (to adapt to)").selectOption(`dusk${stamp}`);
	await page.getByLabel("Measure on").selectOption(`dusk${stamp}`);
	await page.locator("#preset-tpld").uncheck();
	await page.locator("#preset-cbst").check();
	const common = page.getByLabel("common configuration as JSON");
	const config = {
		...JSON.parse(await common.inputValue()),
		model: { arch: "deeplabv2-mobilenetv2", output_stride: 16 },
		data: { crop: [64, 128], batch: 900 },
		source_training: { steps: 10 },
		self_training: { phase1_rounds: 1, steps_per_round: 5 },
	};
	await common.fill(JSON.stringify(config));
	await page.getByRole("button", { name: "Start experiment" }).click();
	await page.locator("#common-error", { hasText: "/data/batch" }).waitFor();
	browser.complaints.length = 0; /* the browser itself reports the refused request */
	await common.fill(JSON.stringify({ ...config, data: { crop: [64, 128], batch: 1 } }));
	await page.getByRole("button", { name: "Start experiment" }).click();
	await page.getByRole("heading", { name: `grid${stamp}` }).waitFor();
	await shot(page, "e2e-experiment-running");
	await state_is("completed", TRAINING_MS);
	await page.getByText("Finished: 2 variants × 2 seeds, 4 runs.").waitFor();
	equal(await page.locator(".dot-plot li .dot-mark").count(), 4, "dots");
	equal((await texts(".cell-grid .pill")).join(), Array(6).fill("completed").join(), "runs");
	await page.getByText("2 seeds are weak evidence").waitFor();
	equal(await page.locator(".differences tbody tr").count(), 12, "classes and mean");
	const [file] = await Promise.all([
		page.waitForEvent("download"),
		page.getByRole("button", { name: "Download CSV" }).click(),
	]);
	equal(
		readFileSync(await file.path(), "utf8")
			.trim()
			.split(/\r?\n/).length,
		5,
		"lines of the CSV",
	);
	await shot(page, "e2e-experiment");
});

await step("an experiment keeps the numbers of a run that is deleted", async () => {
	const means = await texts("main table >> nth=0 >> tbody td:nth-child(3)");
	await page.locator(".dot-plot li:nth-child(2) a.dot-mark").first().click();
	await page.getByRole("button", { name: "Delete" }).click();
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await page.getByRole("heading", { name: "Runs", exact: true }).waitFor();
	await menu("Experiments").click();
	await page.getByRole("link", { name: `grid${stamp}`, exact: true }).click();
	await page.getByText("Finished: 2 variants × 2 seeds, 4 runs.").waitFor();
	equal(await page.locator(".dot-plot li .dot-mark").count(), 4, "dots");
	const lone = page.getByRole("img", { name: /its run was deleted$/ });
	equal(await lone.count(), 1, "dots without a run");
	await lone.focus();
	await lone.locator(".tip").waitFor();
	equal((await texts("main table >> nth=0 >> tbody td:nth-child(3)")).join(), means.join(), "means");
	await shot(page, "e2e-experiment-run-deleted");
});

await step("a deleted experiment takes its runs along when told so", async () => {
	await page.getByRole("button", { name: "Delete" }).click();
	await page.getByLabel("delete its runs too").check();
	await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
	await page.getByText("No experiment yet").waitFor();
	await menu("Runs").click();
	await page.getByRole("heading", { name: "Runs" }).waitFor();
	equal(await page.getByRole("link", { name: `grid${stamp}` }).count(), 0, "its runs");
});

await test("no console errors, exceptions or policy violations", async () => {
	equal(browser.complaints.join("\n"), "", "complaints");
});

await browser.close();
if (daemon && process.env.KEEP) {
	console.log(`# still serving ${server.url}/#token=${server.token}`);
	await daemon.ended;
} else if (daemon)
	await test("the daemon stops in order", async () => {
		daemon.kill("SIGTERM");
		const timer = setTimeout(() => daemon.kill("SIGKILL"), 20000);
		const end = await daemon.ended;
		clearTimeout(timer);
		equal(`${end.code} ${end.signal}`, "0 null", `exit status; its log ends: ${end.log().slice(-800)}`);
	});
rmSync(work, { recursive: true, force: true });
process.exitCode = finish();
