/* runs: the table of all runs, live. */

import { get_all } from "../api.js";
import { h, replace, throttle } from "../dom.js";
import { subscribe } from "../events.js";
import {
	duration,
	FINAL,
	is_number,
	is_source,
	percent,
	phase_name,
	round_name,
	signed_percent,
} from "../format.js";
import { go, href, set_query } from "../router.js";
import { code_block, empty, progress_bar, sort_table, state_pill } from "../widgets.js";
import { datasets } from "../catalog.js";

const FILTERS = [
	["", "all"],
	["active", "active"],
	["final", "finished"],
];

function gain(run) {
	const { source_only: before, best } = run.miou || {};
	return is_number(before) && is_number(best) ? best - before : null;
}

function where(run) {
	if (run.state === "queued" && !run.progress) return h("span.muted", "waiting for the cores");
	if (run.state === "completed")
		return h("span.muted", is_source(run.round) ? "no rounds" : `${run.rounds_total} rounds`);
	const step = run.steps_total ? ` ${run.step}/${run.steps_total}` : "";
	const round = is_source(run.round) ? "source" : `${round_name(run.round)} of ${run.rounds_total}`;
	return h("span.nowrap", `${round} · ${phase_name(run.phase)}${step}`);
}

const COLUMNS = [
	{ key: "id", label: "#", num: true, value: (r) => r.id, cell: (r) => r.id },
	{
		key: "name",
		label: "Name",
		value: (r) => r.name,
		cell: (r) => h("a", { href: href(`/runs/${r.id}`), class: "strong" }, r.name),
	},
	{ key: "preset", label: "Preset", cls: "roomy", value: (r) => preset(r), cell: (r) => preset(r) },
	{ key: "state", label: "State", value: (r) => r.state, cell: (r) => state_pill(r.state) },
	{ key: "where", label: "Where", cell: where },
	{
		key: "progress",
		label: "Progress",
		num: true,
		value: (r) => r.progress,
		cell: (r) =>
			h(
				"div.progress-cell",
				progress_bar(r.progress, `progress of ${r.name}`),
				h("span", `${percent(r.progress, 0)} %`),
			),
	},
	{
		key: "eta",
		label: "ETA",
		num: true,
		value: (r) => (FINAL.has(r.state) ? null : r.eta_seconds),
		cell: (r) => h("span.nowrap", FINAL.has(r.state) ? "–" : duration(r.eta_seconds)),
	},
	{
		key: "source",
		label: "Source",
		num: true,
		title: "mIoU (%) of the source-only model on the labelled target images",
		value: (r) => r.miou && r.miou.source_only,
		cell: (r) => percent(r.miou && r.miou.source_only),
	},
	{
		key: "current",
		label: "Current",
		num: true,
		title: "mIoU (%) of the newest model",
		value: (r) => r.miou && r.miou.current,
		cell: (r) => percent(r.miou && r.miou.current),
	},
	{
		key: "best",
		label: "Best",
		num: true,
		title: "best mIoU (%) so far",
		value: (r) => r.miou && r.miou.best,
		cell: (r) => h("strong", percent(r.miou && r.miou.best)),
	},
	{
		key: "gain",
		label: "Gain",
		num: true,
		title: "best minus source-only, in points",
		value: gain,
		cell: (r) =>
			h(
				"span",
				{ class: gain(r) > 0 ? "good-text" : gain(r) < 0 ? "bad-text" : null },
				signed_percent(gain(r)),
			),
	},
];

function preset(run) {
	return run.preset || (run.config && run.config.preset) || "–";
}

async function first_steps() {
	const known = await datasets();
	const base = location.origin;
	return empty(
		"No run yet",
		h(
			"ol.steps",
			h(
				"li",
				h(
					"strong",
					known.length ? `Data sets: ${known.length} registered. ` : "Register two data sets. ",
				),
				"A labelled source and a target whose labels, if there are any, are only used to measure. ",
				h("a", { href: "#/datasets" }, "Use the form"),
				" or:",
				code_block(
					`curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n` +
						`  ${base}/api/v1/datasets -d '{"name":"day","layout":"folder","root":"/srv/data/day"}'`,
				),
			),
			h(
				"li",
				h("strong", "Start a run. "),
				h("a", { href: "#/new" }, "Use the form"),
				" or:",
				code_block(
					`curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n` +
						`  ${base}/api/v1/runs -d '{"name":"first","preset":"tpld","source":"day","target":"night","eval":"night"}'`,
				),
			),
			h(
				"li",
				h("strong", "Watch it here. "),
				"This page shows phase, progress and mIoU as they change.",
			),
		),
	);
}

export async function runs_page(ctx) {
	let runs = [];
	const body = h("div");
	async function load() {
		runs = (await get_all("/runs", {}, 2000, ctx.signal)).items;
	}
	function set(changes) {
		set_query(changes);
		draw();
	}
	function draw() {
		if (!runs.length) return;
		const show = ctx.query.show || "";
		const rows = runs.filter((r) => show === "" || FINAL.has(r.state) === (show === "final"));
		/* Redrawing must not take the keyboard from a heading that is being used. */
		const focus =
			document.activeElement && body.contains(document.activeElement) ? document.activeElement.id : "";
		replace(
			body,
			h(
				"div.filters",
				h(
					"div.segmented",
					{ role: "group", "aria-label": "show" },
					FILTERS.map(([value, text]) =>
						h(
							"button",
							{
								id: `show-${value || "all"}`,
								"aria-pressed": String(show === value),
								onclick: () => set({ show: value }),
							},
							text,
						),
					),
				),
				h("span.muted", `${rows.length} of ${runs.length} runs; mIoU in %`),
			),
			h(
				"section.card.flush",
				sort_table({
					columns: COLUMNS,
					rows,
					sort: ctx.query.sort || "-id",
					caption: "runs",
					on_sort: (sort) => set({ sort }),
				}),
			),
		);
		if (focus && document.getElementById(focus))
			document.getElementById(focus).focus({ preventScroll: true });
	}
	const refresh = throttle(async () => {
		if (ctx.signal.aborted) return;
		try {
			const had = runs.length;
			await load();
			if (!had && runs.length) go("/runs");
			draw();
		} catch {
			/* The status in the header says that the daemon is away; the next event tries again. */
		}
	}, 1000);
	await load();
	subscribe(refresh, ctx.signal);
	if (runs.length) draw();
	else replace(body, await first_steps());
	return h(
		"div",
		h("div.head", h("h1", "Runs"), h("div.buttons", h("a.button.primary", { href: "#/new" }, "New run"))),
		body,
	);
}
