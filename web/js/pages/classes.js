/* classes: per-class IoU over the rounds as lines, heat map and table, beside published results, and the confusion
 * matrix. */

import { get } from "../api.js";
import { run_classes } from "../catalog.js";
import { css, heat } from "../charts.js";
import { class_lines, hidden_of, tens } from "../class_lines.js";
import { confusion_card } from "../confusion.js";
import { h, throttle } from "../dom.js";
import { is_number, is_source, number, percent, phase_name, round_name, signed_percent } from "../format.js";
import { published_card } from "../published_card.js";
import { go } from "../router.js";
import { run_shell } from "../run_shell.js";
import { col, col_num, sort_table, swatch } from "../widgets.js";

/* Position on the axis: the source model stands left of round 0. */
function place(point) {
	return is_source(point.round) ? -1 : point.round;
}
function place_name(x) {
	return x < 0 ? "source" : Number.isInteger(x) ? String(x) : "";
}

/* Joins class names of /iou with colours of the data set. */
function named(names, classes) {
	return names.map((name, k) => ({
		id: k,
		name,
		color: (classes[k] && classes[k].color) || [128, 128, 128],
	}));
}

function lines_card(iou, classes, ctx) {
	const last = Math.max(...iou.points.map(place));
	const lines = class_lines({
		id: "line",
		query: "hide",
		hidden: hidden_of(ctx.query.hide),
		classes,
		points: (c) =>
			iou.points.filter((p) => is_number(p.iou[c.id])).map((p) => [place(p), 100 * p.iou[c.id]]),
		more: () => [
			{
				label: "mean",
				color: () => css("--text"),
				width: 3,
				dash: [8, 4],
				points: iou.points.filter((p) => is_number(p.miou)).map((p) => [place(p), 100 * p.miou]),
			},
		],
		more_legend: h("li", h("span.dash-mark", { "aria-hidden": "true" }), "mean"),
		options: () => ({
			label: "IoU of each class over the rounds; the numbers are in the heat map",
			height: 340,
			signal: ctx.signal,
			x_range: () => [-1.15, Math.max(0, last) + 0.15],
			x_splits: () => Array.from({ length: last + 2 }, (_, i) => i - 1),
			x_values: (_, ticks) => ticks.map(place_name),
			y_values: (_, ticks) => ticks.map((t) => `${t} %`),
			y_range: tens,
		}),
	});
	return h("section.card", h("h2", "IoU of each class over the rounds, %"), lines.nodes);
}

function heat_card(iou, classes) {
	const cell = (v) =>
		h(
			"td.num",
			{ style: is_number(v) ? heat(v) : null, title: is_number(v) ? null : "not in the labels" },
			percent(v),
		);
	return h(
		"section.card",
		h("h2", "Heat map: IoU %, class by round"),
		h(
			"div.table-wrap",
			h(
				"table.heat-table",
				h(
					"thead",
					h(
						"tr",
						col("Class"),
						iou.points.map((p) =>
							col_num(place_name(place(p)), `${phase_name(p.phase)}, step ${number(p.step)}`),
						),
					),
				),
				h(
					"tbody",
					classes.map((c) =>
						h(
							"tr",
							h("th", { scope: "row" }, swatch(c.color), " ", c.name),
							iou.points.map((p) => cell(p.iou[c.id])),
						),
					),
					h(
						"tr.mean-row",
						h("th", { scope: "row" }, "mean"),
						iou.points.map((p) => cell(p.miou)),
					),
				),
			),
		),
	);
}

function table_card(iou, classes, ctx) {
	const first = iou.points.find((p) => is_source(p.round)) || iou.points[0];
	const last = iou.points[iou.points.length - 1];
	const best = (c) =>
		iou.points.reduce(
			(a, p) => (is_number(p.iou[c.id]) && (a === null || p.iou[c.id] > a) ? p.iou[c.id] : a),
			null,
		);
	const delta = (c) =>
		is_number(first.iou[c.id]) && is_number(last.iou[c.id]) ? last.iou[c.id] - first.iou[c.id] : null;
	const columns = [
		{
			key: "class",
			label: "Class",
			value: (c) => c.name,
			cell: (c) => h("span.inline", swatch(c.color), c.name),
		},
		{
			key: "source",
			label: "Source-only %",
			num: true,
			value: (c) => first.iou[c.id],
			cell: (c) => percent(first.iou[c.id]),
		},
		{
			key: "now",
			label: "Now %",
			num: true,
			value: (c) => last.iou[c.id],
			cell: (c) => percent(last.iou[c.id]),
		},
		{ key: "best", label: "Best %", num: true, value: best, cell: (c) => percent(best(c)) },
		{
			key: "change",
			label: "Change",
			num: true,
			title: "now minus source-only, points",
			value: delta,
			cell: (c) =>
				h(
					"strong",
					{ class: delta(c) > 0 ? "good-text" : delta(c) < 0 ? "bad-text" : null },
					signed_percent(delta(c)),
				),
		},
	];
	return h(
		"section.card",
		h("h2", "Change since source-only"),
		sort_table({
			columns,
			rows: classes,
			sort: ctx.query.sort || "-change",
			caption: "IoU of each class",
			on_sort: (sort) => go(ctx.path, { ...ctx.query, sort }),
		}),
		h(
			"p.muted",
			`mean: ${percent(first.miou)} → ${percent(last.miou)} (${signed_percent(last.miou - first.miou)} points, ${round_name(last.round)})`,
		),
	);
}

export async function classes_page(ctx) {
	const shell = await run_shell(ctx, "/classes");
	const [iou, colors] = await Promise.all([
		get(`/runs/${ctx.params.id}/iou`, null, ctx.signal),
		run_classes(shell.run),
	]);
	let shown = iou.points.length;
	/* A new evaluation draws the page anew. */
	const look = throttle(async () => {
		const now = await get(`/runs/${ctx.params.id}/iou`, null, ctx.signal).catch(() => null);
		if (now && now.points.length !== shown && !ctx.signal.aborted) go(ctx.path, ctx.query);
	}, 5000);
	shell.watch(look);
	if (!shown) {
		shell.node.append(
			h(
				"p.note",
				shell.run.config.eval
					? "The first evaluation follows source training."
					: "This run has no evaluation set (eval is null), so there is no IoU to show.",
			),
		);
		return shell.node;
	}
	const classes = named(iou.classes, colors);
	const [published, confusion] = await Promise.all([
		published_card(shell.run, iou, classes, ctx),
		confusion_card(iou, classes, ctx),
	]);
	shell.node.append(
		lines_card(iou, classes, ctx),
		h("div.columns", heat_card(iou, classes), table_card(iou, classes, ctx)),
		published || "",
		h("div.stacked", confusion),
	);
	return shell.node;
}
