/* experiments: the table of all experiments, live. */

import { get_all } from "../api.js";
import { h, replace, throttle } from "../dom.js";
import { subscribe } from "../events.js";
import { count, number, percent, time } from "../format.js";
import { href, set_query } from "../router.js";
import { code_block, empty, progress_bar, sort_table, state_pill } from "../widgets.js";

const COLUMNS = [
	{ key: "id", label: "#", num: true, value: (x) => x.id, cell: (x) => x.id },
	{
		key: "name",
		label: "Name",
		value: (x) => x.name,
		cell: (x) => h("a", { href: href(`/experiments/${x.id}`), class: "strong" }, x.name),
	},
	{ key: "state", label: "State", value: (x) => x.state, cell: (x) => state_pill(x.state) },
	{
		key: "grid",
		label: "Grid",
		cell: (x) => h("span.nowrap", `${count(x.variants, "variant")} × ${count(x.seeds, "seed")}`),
	},
	{
		key: "runs",
		label: "Runs done",
		num: true,
		cls: "nowrap",
		value: (x) => x.runs_done,
		cell: (x) => `${number(x.runs_done)} of ${number(x.runs_total)}`,
	},
	{
		key: "progress",
		label: "Progress",
		num: true,
		value: (x) => x.progress,
		cell: (x) =>
			h(
				"div.progress-cell",
				progress_bar(x.progress, `progress of ${x.name}`),
				h("span", `${percent(x.progress, 0)} %`),
			),
	},
	{
		key: "created",
		label: "Created",
		cls: "nowrap roomy",
		value: (x) => x.created,
		cell: (x) => time(x.created),
	},
];

const EXAMPLE = {
	name: "first",
	seeds: [1, 2, 3],
	config: { source: "day", target: "night", eval: "night" },
	variants: [
		{ name: "source-only", preset: "source-only" },
		{ name: "tpld", preset: "tpld" },
	],
	baseline: "source-only",
	upper_bound: null,
};

function first_steps() {
	return empty(
		"No experiment yet",
		h(
			"p",
			"An experiment trains several variants with the same seeds and compares them: means, deviations and paired tests instead of one lucky run. Variants of a seed share the source model.",
		),
		h("a.button.primary", { href: "#/experiments/new" }, "Define one"),
		h("p.muted.or", "or:"),
		code_block(
			`curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n` +
				`  ${location.origin}/api/v1/experiments -d '${JSON.stringify(EXAMPLE)}'`,
		),
	);
}

export async function experiments_page(ctx) {
	let list = [];
	const body = h("div");
	async function load() {
		list = (await get_all("/experiments", {}, 2000, ctx.signal)).items;
	}
	function draw() {
		const focus = body.contains(document.activeElement) ? document.activeElement.id : "";
		replace(
			body,
			list.length
				? h(
						"section.card.flush",
						sort_table({
							columns: COLUMNS,
							rows: list,
							sort: ctx.query.sort || "-id",
							caption: "experiments",
							on_sort: (sort) => {
								set_query({ sort });
								draw();
							},
						}),
					)
				: first_steps(),
		);
		/* Redrawing must not take the keyboard from a heading that is being used. */
		if (focus && document.getElementById(focus))
			document.getElementById(focus).focus({ preventScroll: true });
	}
	const refresh = throttle(async () => {
		if (ctx.signal.aborted) return;
		try {
			await load();
			draw();
		} catch {
			/* The status in the header says that the daemon is away; the next event tries again. */
		}
	}, 1500);
	await load();
	subscribe(refresh, ctx.signal);
	draw();
	return h(
		"div",
		h(
			"div.head",
			h("h1", "Experiments"),
			h("div.buttons", h("a.button.primary", { href: "#/experiments/new" }, "New experiment")),
		),
		body,
	);
}
