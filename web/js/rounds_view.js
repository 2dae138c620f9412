/* rounds_view: one row a round: portion, where the labels came from, easy and hard, thresholds. */

import { alarm_list } from "./alarms.js";
import { h, replace } from "./dom.js";
import { heat } from "./charts.js";
import { fixed, is_number, number, percent, phase_name } from "./format.js";
import { href } from "./router.js";
import { ORIGINS, col, col_num, coverage_bar, origin_legend, swatch } from "./widgets.js";

function threshold_table(rounds, classes) {
	return h(
		"details.sub",
		h("summary", "Thresholds λ by class and round"),
		h(
			"p.muted",
			"A pixel predicted as class k is labelled when its probability is above λ of k; λ is set each round so that the chosen portion of every class passes. A class never predicted has λ = 1.",
		),
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
					classes.map((c, k) =>
						h(
							"tr",
							h("th", { scope: "row" }, swatch(c.color), " ", c.name),
							rounds.map((r) => {
								const v = r.thresholds && r.thresholds[k];
								return h("td.num", { style: is_number(v) ? heat(v) : null }, fixed(v));
							}),
						),
					),
				),
			),
		),
	);
}

/* A round's alarms stand below it, as wide as the table. */
function alarm_row(r, classes, judged) {
	if (!r.alarms || !r.alarms.length) return null;
	return h(
		"tr.alarm-row",
		h("td", h("span.alarm-sign", { role: "img", "aria-label": "alarms", title: "alarms" }, "!")),
		h("td", { colspan: 9 + (judged ? 1 : 0) }, alarm_list(r.alarms, classes)),
	);
}

export function rounds_view(run_id) {
	const body = h("div");
	const node = h(
		"section.card",
		h("div.card-head", h("h2", "Rounds"), h("div.tools", origin_legend())),
		body,
	);
	function update(rounds, classes, final) {
		if (!rounds.length) {
			replace(
				body,
				h(
					"p.muted",
					final
						? "The run ended without rounds."
						: "The first round begins after source training: every target image is scored, pseudo-labelled and ranked.",
				),
			);
			return;
		}
		const judged = rounds.some((r) => is_number(r.pseudo_accuracy));
		replace(
			body,
			h(
				"div.table-wrap",
				h(
					"table",
					h(
						"thead",
						h(
							"tr",
							col("Round"),
							col("Trains"),
							col_num(
								"Portion %",
								"share of each class's most confident pixels that is labelled",
							),
							col("Labels come from", "wide-cell"),
							ORIGINS.map((o) => col_num(`${o} %`)),
							col_num("Easy"),
							col_num("Hard"),
							judged
								? col_num(
										"Right %",
										"share of pseudo labels that agree with the target's true labels",
									)
								: null,
						),
					),
					h(
						"tbody",
						rounds.map((r) => [
							h(
								"tr",
								h("td", r.round),
								h("td.nowrap", phase_name(r.phase)),
								h("td.num", percent(r.portion)),
								h("td.wide-cell", coverage_bar(r.coverage)),
								ORIGINS.map((o) => h("td.num", percent((r.coverage || {})[o]))),
								["easy", "hard"].map((split) =>
									h(
										"td.num",
										h(
											"a",
											{
												href: href(`/runs/${run_id}/images`, {
													round: r.round,
													split,
												}),
											},
											number(r[split]),
										),
									),
								),
								judged ? h("td.num", percent(r.pseudo_accuracy)) : null,
							),
							alarm_row(r, classes, judged),
						]),
					),
				),
			),
			classes.length ? threshold_table(rounds, classes) : null,
		);
	}
	return { node, update };
}
