/* The dashboard's pages against invented data (mock/): fast, and the same every time. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nameless, open_browser, shot, until } from "./browser.mjs";
import { fill_cityscapes } from "./mock/cityscapes.mjs";
import { experiments, fill_experiments } from "./mock/experiments.mjs";
import { fill, start_mock } from "./mock/server.mjs";
import { add_run, PRESETS, runs, set_state } from "./mock/state.mjs";
import { published_tests } from "./published.mjs";
import { equal, finish, ok, on_failure, test } from "./tap.mjs";

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

await test("a wrong token is refused, the right one opens the runs", async () => {
	await page.goto(mock.url);
	await page.getByLabel("Token").fill("wrong");
	await page.getByRole("button", { name: "Sign in" }).click();
	await page.getByText("does not accept this token").waitFor();
	await page.getByLabel("Token").fill(TOKEN);
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
	await other.goto(`${mock.url}/#token=${TOKEN}`);
	await other.getByRole("heading", { name: "Runs" }).waitFor();
	ok(!(await other.evaluate(() => location.href)).includes(TOKEN), "the token is still in the URL");
	await other.context().close();
});

await test("a new tab takes the token over from a signed-in one, also on a deep link", async () => {
	const other = await page.context().newPage();
	await other.goto(`${mock.url}/#/datasets/2`);
	await other.getByRole("heading", { name: "camvid-dusk" }).waitFor();
	await other.close();
});

await test("palette PNGs give their indices back, through every row filter", async () => {
	const { encode_png } = await import("./mock/png.mjs");
	const width = 37,
		height = 23;
	const pixels = Uint8Array.from({ length: width * height }, (_, i) => (i * i * 7 + i) % 256);
	const png = encode_png(
		"palette",
		width,
		height,
		pixels,
		Array.from({ length: 256 }, () => [9, 9, 9]),
	);
	const got = await page.evaluate(
		async (bytes) => {
			const { read_indexed } = await import("/js/png.js");
			const r = await read_indexed(new Uint8Array(bytes).buffer);
			return { width: r.width, height: r.height, index: [...r.index] };
		},
		[...png],
	);
	equal(JSON.stringify(got), JSON.stringify({ width, height, index: [...pixels] }), "pixels");
	const refused = await page.evaluate(
		async (bytes) => {
			const { read_indexed } = await import("/js/png.js");
			return read_indexed(new Uint8Array(bytes).buffer).then(
				() => "read",
				(e) => e.message,
			);
		},
		[...png.subarray(0, 100)],
	);
	equal(refused, "truncated PNG file", "a truncated file");
});

await test("the event stream parser survives any split of the bytes", async () => {
	const text =
		': ping\n\nid: 7\nevent: run.state\ndata: {"run": 1,\ndata:  "state": "paused"}\n\nid: 8\r\ndata: x\r\n\r\n';
	const results = await page.evaluate(async (t) => {
		const { parser } = await import("/js/events.js");
		return [1, 2, 5, 1000].map((size) => {
			const got = [];
			const feed = parser((e) => got.push(e));
			for (let i = 0; i < t.length; i += size) feed(t.slice(i, i + size));
			return JSON.stringify(got);
		});
	}, text);
	const wanted = JSON.stringify([
		{ type: "run.state", data: '{"run": 1,\n "state": "paused"}', id: "7" },
		{ type: "message", data: "x", id: "8" },
	]);
	results.forEach((r) => equal(r, wanted, "events"));
});

await test("the stage list is the daemon's", async () => {
	const list = await page.evaluate(async () => {
		const { stages_of } = await import("/js/stages.js");
		return stages_of({
			eval: "e",
			self_training: { phase1_rounds: 2, phase2_rounds: 1 },
			evaluation: { every_rounds: 2 },
		})
			.map((s) => `${s.phase}:${s.round}`)
			.join(" ");
	});
	equal(
		list,
		"source_training:null evaluation:null scoring:0 phase1_training:0 scoring:1 phase1_training:1 evaluation:1 scoring:2 phase2_training:2 evaluation:2",
	);
});

fill();

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

await test("the form checks while typing and marks the field", async () => {
	await open("#/new");
	await page.getByText("Still needed: a name, a source, a target.").waitFor();
	await page.getByLabel("Name", { exact: true }).fill("from the form");
	await page.getByLabel("Source (labelled)").selectOption("carla-day");
	await page.getByLabel("Target (to adapt to)").selectOption("camvid-dusk");
	await page.getByLabel("Measure on").selectOption("camvid-dusk");
	await page.getByText("The daemon would accept this run").waitFor();
	ok(
		(await texts(".facts dd")).some((t) => t.includes("MiB")),
		"no estimate",
	);
	await page.getByRole("button", { name: "How long would it take?" }).click();
	await page.getByText("Time, if nothing else computes").waitFor();
	ok((await texts(".facts dd")).some((t) => t.includes("1 h 30 min")), "no time");
	equal(await page.getByTitle("Pictures a step (1 to 64)").count(), 1, "the schema's description");
	await page.getByLabel("Batch", { exact: true }).fill("900");
	await page.locator(".field.bad", { hasText: "900 is not in 1..64" }).waitFor();
	ok(await page.getByRole("button", { name: "Start run" }).isDisabled(), "a wrong run can be started");
	await page.getByLabel("Batch", { exact: true }).fill("4");
	await page.getByText("The daemon would accept this run").waitFor();
	await shot(page, "form");
});

await test("fields and JSON show the same configuration, and so do the commands", async () => {
	await page.getByText("Everything as JSON").click();
	const json = page.getByLabel("configuration as JSON");
	equal(JSON.parse(await json.inputValue()).data.batch, 4, "batch in the JSON");
	await json.fill((await json.inputValue()).replace(/"steps_per_round": \d+/, '"steps_per_round": 20'));
	equal(await page.getByLabel("Steps per round").inputValue(), "20", "the field");
	await page.getByText("Same with curl or tpldctl").click();
	ok(
		(await texts("aside pre")).every((t) => t.includes('"steps_per_round":20')),
		"the commands differ",
	);
});

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

await test("the failed run shows why", async () => {
	await open("#/runs/2");
	await page.locator(".problem", { hasText: "loss is not a number" }).waitFor();
});

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
	equal((await column(2)).slice(0, 3).join(), "features.0.0,maxpool,features.1.conv.0", "network order");
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

await test("images: filter, sort, pages, and the back button", async () => {
	await open("#/runs/1/images");
	await page.locator(".image-card").first().waitFor();
	equal((await texts("#count-top"))[0], "1–60 of 150 images", "count");
	await page.getByRole("button", { name: "hard", exact: true }).click();
	await page.getByText("1–60 of 105 images").first().waitFor();
	ok(
		(await texts(".image-card .chip")).every((t) => t === "hard"),
		"an easy image among the hard ones",
	);
	const confidence = (await texts(".image-meta b")).map(Number);
	ok(
		confidence.every((c, i) => i === 0 || c >= confidence[i - 1]),
		"not sorted by confidence",
	);
	await page.locator("#next-top").click();
	await page.getByText("61–105 of 105 images").first().waitFor();
	await page.goBack();
	await page.getByText("1–60 of 105 images").first().waitFor();
	await page.locator("#f-round").selectOption("1");
	await until(async () => (await hash()).includes("round=1"), "the round in the URL");
	await until(
		() => page.evaluate(() => document.querySelector(".image-card img").naturalWidth > 0),
		"a thumbnail",
	);
	await page.locator(".histogram .split-mark").waitFor();
	await shot(page, "images");
});

const canvas_sum = () => page.evaluate(() => document.querySelector(".panel canvas").toDataURL());
const settled = async () => {
	await page.evaluate(() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r))));
	return canvas_sum();
};

await test("a hard image opens with its overlays; opacity and classes repaint", async () => {
	await page.locator(".image-card").first().click();
	await page.locator(".panel canvas").waitFor();
	await page.getByText("Why hard").waitFor();
	const painted = await settled();
	await page.getByLabel("opacity").fill("0");
	const photo = await settled();
	ok(photo !== painted, "opacity changes nothing");
	await page.getByLabel("opacity").fill("1");
	const full = await settled();
	await page.locator(".legend-table input[data-class='3']").uncheck();
	ok((await settled()) !== full, "hiding road changes nothing");
	ok(
		(await hash()).includes("hide=3") && (await hash()).includes("opacity=1"),
		"the view is not in the URL",
	);
	await page.locator("#layer-pseudo_confident").click();
	const sparse = Number((await texts(".legend-table tbody tr:last-child td:nth-child(2)"))[0]);
	await page.locator("#layer-pseudo_final").click();
	const final = Number((await texts(".legend-table tbody tr:last-child td:nth-child(2)"))[0]);
	ok(sparse > final, `sparse labels leave more unlabelled than final ones: ${sparse} and ${final}`);
	await shot(page, "image");
});

await test("the read-out names the class at the pointer from the index, not the colour", async () => {
	await page.locator(".panel canvas").hover({ position: { x: 300, y: 10 } });
	await page.locator(".readout", { hasText: "predicted sky" }).waitFor();
});

await test("arrow keys walk through the filtered images, rounds and layers keep the view", async () => {
	const before = await page.locator("h1").textContent();
	await page.locator("h1").click();
	await page.keyboard.press("ArrowRight");
	await until(async () => (await page.locator("h1").textContent()) !== before, "the next image");
	ok((await hash()).includes("opacity=1"), "the view was lost");
	equal(await page.locator(".head .chip").textContent(), "hard", "verdict");
	await page.keyboard.press("ArrowLeft");
	await until(async () => (await page.locator("h1").textContent()) === before, "the image before");
	await page.getByRole("button", { name: "all layers" }).click();
	equal(await page.locator(".panel canvas").count(), 7, "panels");
	await page.locator("#image-round").selectOption("4");
	await until(async () => (await hash()).includes("round=4"), "the round in the URL");
	await page.locator("tr.selected", { hasText: "4" }).waitFor();
	await page.keyboard.press("5");
	await page.locator("#layer-origin[aria-pressed='true']").waitFor();
	await page.getByText("won by the sliding-window vote").waitFor();
});

await test("features: drawn when asked for, with marks for eyes that see no colours, and links", async () => {
	await open("#/runs/1/images");
	await page.locator(".image-card").first().waitFor();
	equal(await page.locator(".feature-map").count(), 0, "maps before anybody asks");
	await page.getByRole("button", { name: "Show features" }).click();
	await page.locator(".feature-map").waitFor();
	equal(await page.locator(".feature-map .mark").count(), 200, "marks");
	equal(await page.locator(".feature-map circle.mark.source").count(), 50, "rings");
	equal(await page.locator(".feature-map circle.mark.easy").count(), 45, "dots");
	equal(await page.locator(".feature-map path.mark.hard").count(), 105, "triangles");
	const legend = (await texts("ul[aria-label='what the marks mean'] li")).join("; ");
	equal(legend, "source, labelled: 50; target, easy: 45; target, hard: 105", "legend");
	await page.getByText("50 of 400 source images, evenly spread; all 150 target images.").waitFor();
	const box = await page.evaluate(() => {
		const frame = document.querySelector(".feature-map > svg").getBoundingClientRect();
		return [...document.querySelectorAll(".feature-map .mark")].filter((m) => {
			const b = m.getBoundingClientRect();
			return (
				b.left < frame.left || b.right > frame.right || b.top < frame.top || b.bottom > frame.bottom
			);
		}).length;
	});
	equal(box, 0, "marks outside of the drawing");
	await page.locator(".feature-map g").nth(3).dispatchEvent("pointerenter");
	await page.locator(".glass b", { hasText: "day_000024" }).waitFor();
	await page.locator(".feature-map a").nth(60).dispatchEvent("pointerenter");
	const name = await page.locator(".feature-map a title").nth(60).textContent();
	equal(await page.locator(".glass b").textContent(), name.split(":")[0], "the name beside the drawing");
	await until(
		() => page.evaluate(() => document.querySelector(".glass img").naturalWidth > 0),
		"the picture beside the drawing",
	);
	await shot(page, "features");
	/* Another filter of the same round keeps it; another round asks anew. */
	await page.getByRole("button", { name: "hard", exact: true }).click();
	await page.getByText("1–60 of 105 images").first().waitFor();
	await page.locator(".feature-map").waitFor();
	await page.locator("#f-round").selectOption("1");
	await until(async () => (await hash()).includes("round=1"), "the round in the URL");
	await page.getByRole("button", { name: "Show features" }).click();
	await page.locator(".problem", { hasText: "are being computed: ask again later" }).waitFor();
	browser.complaints.length = 0; /* the browser itself reports the 409 */
	await page.getByRole("button", { name: "Show features" }).click();
	await page.locator(".feature-map").waitFor();
	const link = page.locator(".feature-map a").nth(5);
	const where = await link.getAttribute("href");
	ok(/^#\/runs\/1\/images\/\d+\?round=1$/.test(where), `link ${where}`);
	await link.dispatchEvent("click");
	await until(async () => (await hash()) === where, "the image's page");
});

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

await test("a run's configuration can be taken into the form again", async () => {
	await open("#/runs/3/config");
	await page.getByRole("link", { name: "New run from this one" }).click();
	await page.getByText("The daemon would accept this run").waitFor();
	equal(await page.getByLabel("Name", { exact: true }).inputValue(), "carla-to-dusk mrkld again", "name");
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
	equal(await page.locator(".dot-track .dot-upper").count(), 7, "the upper bound goes through every row");
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
		.evaluateAll((list) => list.map((td) => ({ text: td.textContent, color: td.style.backgroundColor })));
	const up = cells.filter((c) => c.text.startsWith("+")),
		down = cells.filter((c) => c.text.startsWith("−"));
	ok(up.length > 5 && down.length > 5, `${up.length} up, ${down.length} down`);
	ok(
		up.every((c) => c.color.includes("--heat-up")) && down.every((c) => c.color.includes("--heat-down")),
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

await test("an experiment is defined by boxes and fields, and by the JSON", async () => {
	await page.getByRole("link", { name: "New experiment" }).click();
	await page.getByText("Still needed: a name, a source, a target, a data set to measure on.").waitFor();
	ok(
		await page.getByRole("button", { name: "Start experiment" }).isDisabled(),
		"an unfinished definition can be sent",
	);
	await page.getByLabel("Name", { exact: true }).fill("by hand");
	await page.getByLabel("Source (labelled)").selectOption("carla-day");
	await page.getByLabel("Target (to adapt to)").selectOption("camvid-dusk");
	await page.getByLabel("Measure on").selectOption("camvid-dusk");
	await page.locator("#preset-cbst").check();
	await page.locator("#preset-oracle").check();
	equal(await page.evaluate(() => document.activeElement.id), "preset-oracle", "the keyboard");
	await page.getByText("4 variants × 3 seeds = 12 results.").waitFor();
	await page.getByLabel("Seeds").fill("4, 5");
	await page.getByText("Two seeds are very little").waitFor();
	equal((await texts("#role-upper_bound option")).join(), "none,source-only,cbst,tpld,oracle", "variants");
	equal(await page.getByLabel("Upper bound", { exact: true }).inputValue(), "oracle", "the upper bound");
	await page.getByText("Everything as JSON").click();
	const json = page.getByLabel("definition as JSON");
	const read = async () => JSON.parse(await json.inputValue());
	let d = await read();
	equal(
		JSON.stringify([d.seeds, d.variants.map((v) => v.name), d.variants[3].config]),
		'[[4,5],["source-only","cbst","tpld","oracle"],{"source":"camvid-dusk"}]',
		"definition",
	);
	d.variants.push({ name: "tpld q .5", preset: "tpld", config: { self_training: { easy_portion: 0.5 } } });
	await json.fill(JSON.stringify(d, null, 2));
	await page.getByText("5 variants × 2 seeds").waitFor();
	await page.getByRole("button", { name: "remove oracle" }).click();
	equal(
		await page.getByLabel("Upper bound", { exact: true }).inputValue(),
		"",
		"the upper bound went with its variant",
	);
	ok(!(await page.locator("#preset-oracle").isChecked()), "the box of a removed variant");
	await json.fill('{"variants": [7]}');
	await page.getByText("variants is a list of objects").waitFor();
	d = { ...d, variants: d.variants.filter((v) => v.name !== "oracle"), upper_bound: null };
	await json.fill(JSON.stringify(d, null, 2));
	await page.getByText("Same with curl or tpldctl").click();
	ok((await texts("aside pre"))[1].includes("tpldctl experiment run"), "no command");
	await shot(page, "experiment-new");
});

await test("what the daemon refuses stands at its field, its variant and its line of the JSON", async () => {
	const common = page.getByLabel("common configuration as JSON");
	const config = JSON.parse(await common.inputValue());
	await common.fill("{");
	await page.getByRole("button", { name: "Start experiment" }).click();
	equal(await page.evaluate(() => document.activeElement.id), "common", "the text that is no JSON");
	await common.fill(JSON.stringify({ ...config, data: { batch: 900 } }, null, 2));
	const json = page.getByLabel("definition as JSON");
	await json.fill(
		(await json.inputValue())
			.replace('"easy_portion"', '"wrong"')
			.replace('"self_training"', '"selftraining"'),
	);
	await page.getByRole("button", { name: "Start experiment" }).click();
	await page.locator("#common-error", { hasText: "/data/batch: 900 is not in 1..64" }).waitFor();
	await page.locator("#variant-3-error", { hasText: "/config/selftraining: unknown key" }).waitFor();
	await page.getByText("2 things to fix").waitFor();
	await shot(page, "experiment-refused");
	await page.getByRole("button", { name: "/config/data/batch" }).click();
	const chosen = await json.evaluate((t) => t.value.slice(t.selectionStart, t.selectionEnd));
	equal(chosen, "900", "what is selected in the JSON");
	const line = Number(
		/line (\d+)/.exec(await page.getByRole("button", { name: "/config/data/batch" }).textContent())[1],
	);
	ok((await json.inputValue()).split("\n")[line - 1].includes("900"), `line ${line}`);
	await common.fill(JSON.stringify(config, null, 2));
	await json.fill(
		(await json.inputValue())
			.replace('"selftraining"', '"self_training"')
			.replace('"wrong"', '"easy_portion"'),
	);
	await page.getByRole("button", { name: "Start experiment" }).click();
	await page.getByRole("heading", { name: "by hand" }).waitFor();
	await page.locator(".head .state-running").waitFor();
	browser.complaints.length = 0; /* the browser itself reports the 422 */
});

await test("places of values in a JSON text are found, whatever it is made of", async () => {
	const text = '{ "a~/b" : [1, {"x": "q\\"]}"}, []] ,"c":{"d":null}}';
	const found = await page.evaluate(async (t) => {
		const { place_of } = await import("/js/json_place.js");
		const of = (p) => {
			const place = place_of(t, p);
			return t.slice(place.from, place.to);
		};
		return [
			of("/a~0~1b/1/x"),
			of("/a~0~1b/2"),
			of("/c/d"),
			of("/c/none/below"),
			of("") === t,
			place_of("{", "/a"),
		];
	}, text);
	equal(
		JSON.stringify(found),
		JSON.stringify(['"q\\"]}"', "[]", "null", '{"d":null}', true, null]),
		"places",
	);
});

await test("an experiment can be taken into the form again", async () => {
	await open("#/experiments/1");
	await page.getByRole("link", { name: "New experiment from this one" }).click();
	await page.getByText("7 variants × 3 seeds = 21 results.").waitFor();
	equal(await page.getByLabel("Name", { exact: true }).inputValue(), "what helps at dusk again", "name");
	equal((await texts(".variant-rows strong")).length, 7, "variants");
});

const compared = fill_cityscapes();
await published_tests({ page, open, texts, hash, web: WEB, compared });

const PAGES = [
	"#/runs",
	"#/runs/1",
	"#/experiments",
	"#/experiments/1",
	"#/experiments/new",
	"#/runs/1/classes",
	`#/runs/${compared.published.id}/classes?published=gta5-vgg16-tpld`,
	"#/runs/1/images",
	"#/runs/1/images/17?round=2&mode=all",
	"#/runs/1/config",
	"#/new",
	"#/datasets",
	"#/datasets/2",
	"#/weights",
];

await test("no page is wider than the window, at 1280, 800 and 700 pixels", async () => {
	for (const width of [1280, 800, 700]) {
		await page.setViewportSize({ width, height: 800 });
		for (const where of PAGES) {
			await open(where);
			const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
			ok(wide <= 0, `${where} at ${width}: ${wide} pixels too wide`);
			if (width === 700) await shot(page, `narrow${where.replace(/[^a-z0-9]+/gi, "-")}`);
		}
	}
});

await test("every control and picture has a name", async () => {
	for (const where of PAGES) {
		await open(where);
		const list = await nameless(page);
		equal(list.join("\n"), "", where);
	}
});

await test("the dark scheme is dark", async () => {
	const dark = await browser.page({ colorScheme: "dark" });
	await dark.goto(`${mock.url}/#token=${TOKEN}`);
	await dark.getByRole("heading", { name: "Runs" }).waitFor();
	const [bg, text] = await dark.evaluate(() =>
		["background-color", "color"].map((p) =>
			getComputedStyle(document.documentElement)[p].match(/\d+/g).map(Number),
		),
	);
	ok(Math.max(...bg) < 60 && Math.min(...text) > 180, `background ${bg}, text ${text}`);
	await shot(dark, "dark");
	for (const [where, sign] of [
		["experiments/1", ".differences"],
		["runs/1", ".audit canvas"],
		[`runs/${compared.published.id}/classes`, ".published table"],
	]) {
		await dark.goto(`${mock.url}/#/${where}`);
		await dark.locator(sign).first().waitFor();
		await shot(dark, `dark-${where.replaceAll("/", "-")}`);
	}
	await dark.context().close();
});

/* Contrast (WCAG) of text and background of the elements with a background of their own; colours are read back
 * from a canvas, which knows every notation. */
const contrasts = (p, selector) =>
	p.locator(selector).evaluateAll((list) => {
		const ink = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
		const luminance = (color) => {
			ink.fillStyle = color;
			ink.fillRect(0, 0, 1, 1);
			const [r, g, b] = [...ink.getImageData(0, 0, 1, 1).data].map((v) =>
				v <= 10 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4,
			);
			return 0.2126 * r + 0.7152 * g + 0.0722 * b;
		};
		return list
			.filter((e) => e.style.backgroundColor)
			.map((e) => {
				const s = getComputedStyle(e);
				const [low, high] = [luminance(s.color), luminance(s.backgroundColor)].sort((a, b) => a - b);
				return { text: e.textContent, ratio: (high + 0.05) / (low + 0.05) };
			});
	});

await test("numbers can be read on every colour of the differences, light and dark", async () => {
	for (const colorScheme of ["light", "dark"]) {
		const other = await browser.page({ colorScheme });
		await other.goto(`${mock.url}/#token=${TOKEN}`);
		await other.getByRole("heading", { name: "Runs" }).waitFor();
		await other.goto(`${mock.url}/#/experiments/1`);
		await other.locator(".differences").waitFor();
		const list = await contrasts(other, ".differences td");
		ok(list.length > 60, `${list.length} coloured cells`);
		const worst = list.reduce((a, b) => (b.ratio < a.ratio ? b : a));
		ok(worst.ratio >= 3.8, `${colorScheme}: ${worst.text} has contrast ${worst.ratio.toFixed(2)}`);
		await other.context().close();
	}
});

await test("signing out forgets the token", async () => {
	await page.getByRole("button", { name: "sign out" }).click();
	await page.getByLabel("Token").waitFor();
	equal(await page.evaluate(() => sessionStorage.length), 0, "entries in the session storage");
});

await test("no console errors, exceptions or policy violations", async () => {
	equal(browser.complaints.join("\n"), "", "complaints");
});

await browser.close();
mock.close();
process.exitCode = finish();
