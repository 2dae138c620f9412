/* modules: the dashboard's own ones, called without their pages. Part of run.mjs, whose page it uses. */
import { equal, test } from "./tap.mjs";

export async function modules_tests({ page }) {
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

	await test("a run may be completed before its last stage", async () => {
		const got = await page.evaluate(async () => {
			const { timeline } = await import("/js/stages.js");
			const { sentence } = await import("/js/format.js");
			const run = {
				state: "completed",
				phase: "norm_alignment",
				round: null,
				rounds_total: 1,
				stage: 2,
				step: 0,
				steps_total: 1,
				config: {
					eval: "e",
					self_training: { phase1_rounds: 1, norm_alignment: { required: true } },
				},
			};
			const cells = [...timeline(run).querySelectorAll(".stage")];
			return [cells.map((c) => c.title.split(", ")[1]).join(" "), sentence(run)];
		});
		equal(got[0], "done done done left out left out left out left out", "stages");
		equal(/source model is the result/.test(got[1]), true, got[1]);
	});
}
