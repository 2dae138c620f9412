/* audit_view: the pseudo labels of a run judged: each class's share of the prediction over the rounds, how often
 * the labels are right where the truth is known, how much the network agrees with itself, and the classes of one
 * round. Rounds of daemons that did not judge have no audit; without any the card stays away. */

import { accuracy_chart, agreement_chart, frame, rounds_table } from "./audit_charts.js";
import { class_table, ratio, verdict } from "./audit_classes.js";
import { heat } from "./charts.js";
import { class_lines, hidden_of } from "./class_lines.js";
import { h, replace } from "./dom.js";
import { is_number, number, percent } from "./format.js";
import { set_query } from "./router.js";
import { col, col_num, origin_legend, select, swatch } from "./widgets.js";

const SCALES = [
	["share", "% of pixels"],
	["ratio", "× round 0"],
];

function share_table(rounds, classes) {
	return h(
		"details.sub",
		h("summary", "Shares as a table"),
		h(
			"div.table-wrap",
			h(
				"table.heat-table",
				h(
					"thead",
					h(
						"tr",
						col("Class"),
						rounds.map((r) => col_num(r.round)),
					),
				),
				h(
					"tbody",
					classes.map((c) =>
						h(
							"tr",
							h("th", { scope: "row" }, swatch(c.color), " ", c.name),
							rounds.map((r) => {
								const v = r.audit.classes[c.id] && r.audit.classes[c.id].share;
								return h("td.num", { style: is_number(v) ? heat(v) : null }, percent(v, 2));
							}),
						),
					),
				),
			),
		),
	);
}

/* The card. update(rounds, classes) shows newer rounds. */
export function audit_view(ctx) {
	const node = h("section.card.audit", { hidden: true });
	let rounds = [],
		classes = [],
		shown = "",
		sort = ctx.query.audit_sort || "-now",
		scale = ctx.query.scale === "ratio" ? "ratio" : "share",
		charts = [],
		lines = null;
	const hidden = hidden_of(ctx.query.hide_share);
	const shares = h("div"),
		table = h("div");

	function draw_shares() {
		const measure = scale === "ratio" ? ratio : (a) => 100 * a.share;
		const value = (c, r) => (r.audit.classes[c.id] ? measure(r.audit.classes[c.id]) : null);
		const unit = scale === "ratio" ? " ×" : " %";
		if (lines) lines.destroy();
		lines = class_lines({
			id: "share",
			query: "hide_share",
			hidden,
			classes,
			points: (c) => rounds.map((r) => [r.round, value(c, r)]).filter(([, v]) => is_number(v)),
			options: () => ({
				...frame(rounds, ctx, "share of the predicted pixels of each class over the rounds"),
				height: 300,
				y_values: (_, list) => list.map((t) => `${number(t)}${unit}`),
				y_range: (_, low, high) => [0, Math.max(scale === "ratio" ? 1.5 : 1, 1.05 * (high || 0))],
			}),
		});
		replace(
			shares,
			h(
				"div.card-head",
				h("h3", "Share of the predicted pixels by class"),
				h(
					"div.tools",
					h(
						"div.segmented",
						{ role: "group", "aria-label": "shares as" },
						SCALES.map(([value, text]) =>
							h(
								"button.small",
								{
									id: `scale-${value}`,
									"aria-pressed": String(scale === value),
									onclick: () => set_scale(value),
								},
								text,
							),
						),
					),
				),
			),
			h(
				"p.muted",
				"A class that grows or shrinks from round to round feeds on its own labels: the loss falls all the same.",
			),
			lines.nodes,
			share_table(rounds, classes),
		);
	}
	function set_scale(value) {
		scale = value;
		set_query({ scale: value === "ratio" ? value : "" });
		keep_focus(draw_shares);
	}
	/* The round of ?audit=, or the newest. */
	function chosen() {
		return rounds.find((r) => String(r.round) === ctx.query.audit) || rounds[rounds.length - 1];
	}
	function draw_table() {
		const round = chosen();
		replace(
			table,
			h(
				"div.card-head",
				h("h3", "Classes"),
				h(
					"div.tools",
					origin_legend(),
					h(
						"label.inline",
						"of round",
						select(
							{
								id: "audit-round",
								onchange: (e) => choose(e.target.value),
							},
							rounds.map((r) => r.round),
							round.round,
						),
					),
				),
			),
			h("p", verdict(round)),
			class_table(round, classes, sort, (s) => {
				sort = s;
				set_query({ audit_sort: s });
				keep_focus(draw_table);
			}),
		);
	}
	/* Runs f, which draws parts of the card anew; the keyboard stays where it was. */
	function keep_focus(f) {
		const focus = node.contains(document.activeElement) ? document.activeElement.id : "";
		f();
		if (focus && document.getElementById(focus))
			document.getElementById(focus).focus({ preventScroll: true });
	}
	function choose(round) {
		ctx.query.audit = String(round);
		set_query({ audit: round });
		keep_focus(draw_table);
	}
	/* Shows a round's classes and leads there. */
	function open(round) {
		if (node.hidden) return;
		choose(round);
		table.scrollIntoView({ block: "start" });
		document.getElementById("audit-round").focus({ preventScroll: true });
	}
	function draw() {
		charts.forEach((c) => c.destroy());
		const accuracy = accuracy_chart(rounds, ctx),
			agreement = agreement_chart(rounds, ctx);
		charts = [accuracy, agreement].filter(Boolean);
		const figure = (title, text, c) => h("div.audit-chart", h("h3", title), h("p.muted", text), c.node);
		replace(
			node,
			h("h2", "Pseudo labels, judged"),
			shares,
			h(
				"div.columns.charts",
				accuracy
					? figure(
							"Right pseudo labels",
							"Against the target's true labels, which training never reads. The dashed line is what voting has to beat.",
							accuracy,
						)
					: null,
				figure(
					"Agreement and entropy",
					"Needs no labels. Agreement near 100 % with low entropy means that the rounds change little, not that they are right.",
					agreement,
				),
			),
			rounds_table(rounds),
			table,
		);
		draw_shares();
		draw_table();
	}
	function update(all, all_classes) {
		rounds = all.filter((r) => r.audit && r.audit.classes);
		node.hidden = !rounds.length;
		const now = JSON.stringify(rounds);
		if (!rounds.length || now === shown) return;
		shown = now;
		classes = all_classes.length
			? all_classes
			: rounds[0].audit.classes.map((_, id) => ({ id, name: `class ${id}`, color: [128, 128, 128] }));
		keep_focus(draw);
	}
	return { node, update, open };
}
