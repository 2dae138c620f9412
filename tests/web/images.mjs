/* images: a run's images, the viewer, the map of their features. Part of run.mjs, whose page it uses. */
import { shot, until } from "./browser.mjs";
import { equal, ok, test } from "./tap.mjs";

export async function images_tests({ browser, page, open, texts, hash }) {
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
					b.left < frame.left ||
					b.right > frame.right ||
					b.top < frame.top ||
					b.bottom > frame.bottom
				);
			}).length;
		});
		equal(box, 0, "marks outside of the drawing");
		await page.locator(".feature-map g").nth(3).dispatchEvent("pointerenter");
		await page.locator(".glass b", { hasText: "day_000024" }).waitFor();
		await page.locator(".feature-map a").nth(60).dispatchEvent("pointerenter");
		const name = await page.locator(".feature-map a title").nth(60).textContent();
		equal(
			await page.locator(".glass b").textContent(),
			name.split(":")[0],
			"the name beside the drawing",
		);
		await until(
			() => page.evaluate(() => document.querySelector(".glass img").naturalWidth > 0),
			"the picture beside the drawing",
		);
		await shot(page, "features");
		const place = () => page.locator(".feature-map path.mark.hard").first().getAttribute("d");
		const after = await place();
		await page.getByRole("button", { name: "before this round's training" }).click();
		await page.getByText("look alike to the network that ranked them").waitFor();
		ok((await place()) !== after, "the same picture before and after the training");
		await page.getByRole("button", { name: "after it" }).click();
		await page.getByText("look alike to the network after this round").waitFor();
		equal(await place(), after, "back again");
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
}
