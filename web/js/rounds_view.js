/* rounds_view: one row a round: portion, where the labels came from, easy and hard, thresholds. */

import { h, replace } from "./dom.js";
import { heat } from "./charts.js";
import { css_color } from "./catalog.js";
import { fixed, is_number, number, percent, phase_name } from "./format.js";
import { href } from "./router.js";
import { coverage_bar, origin_legend, ORIGINS } from "./widgets.js";

function threshold_table(rounds, classes) {
	return h("details", { class: "sub" }, h("summary", null, "Thresholds λ by class and round"),
		h("p", { class: "muted" }, "A pixel predicted as class k is labelled when its probability is above λ of k; λ is set each round so that the chosen portion of every class passes. A class never predicted has λ = 1."),
		h("div", { class: "table-wrap" }, h("table", { class: "heat-table" },
			h("thead", null, h("tr", null, h("th", { scope: "col" }, "Class"), rounds.map((r) => h("th", { scope: "col", class: "num" }, r.round)))),
			h("tbody", null, classes.map((c, k) => h("tr", null,
				h("th", { scope: "row" }, h("i", { class: "swatch", style: { "background-color": css_color(c.color) } }), " ", c.name),
				rounds.map((r) => {
					const v = r.thresholds && r.thresholds[k];
					return h("td", { class: "num", style: is_number(v) ? heat(v) : null }, fixed(v));
				})))))));
}

export function rounds_view(run_id) {
	const body = h("div");
	const node = h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "Rounds"), h("div", { class: "tools" }, origin_legend())), body);
	function update(rounds, classes) {
		if (!rounds.length) {
			replace(body, h("p", { class: "muted" }, "The first round begins after source training: every target image is scored, pseudo-labelled and ranked."));
			return;
		}
		const judged = rounds.some((r) => is_number(r.pseudo_accuracy));
		replace(body, h("div", { class: "table-wrap" }, h("table", null,
			h("thead", null, h("tr", null,
				h("th", { scope: "col" }, "Round"), h("th", { scope: "col" }, "Trains"),
				h("th", { scope: "col", class: "num", title: "share of each class's most confident pixels that is labelled" }, "Portion %"),
				h("th", { scope: "col", class: "wide-cell" }, "Labels come from"),
				ORIGINS.map((o) => h("th", { scope: "col", class: "num" }, `${o} %`)),
				h("th", { scope: "col", class: "num" }, "Easy"), h("th", { scope: "col", class: "num" }, "Hard"),
				judged ? h("th", { scope: "col", class: "num", title: "share of pseudo labels that agree with the target's true labels" }, "Right %") : null)),
			h("tbody", null, rounds.map((r) => h("tr", null,
				h("td", null, r.round), h("td", { class: "nowrap" }, phase_name(r.phase)), h("td", { class: "num" }, percent(r.portion)),
				h("td", { class: "wide-cell" }, coverage_bar(r.coverage)),
				ORIGINS.map((o) => h("td", { class: "num" }, percent((r.coverage || {})[o]))),
				["easy", "hard"].map((split) => h("td", { class: "num" }, h("a", { href: href(`/runs/${run_id}/images`, { round: r.round, split }) }, number(r[split])))),
				judged ? h("td", { class: "num" }, percent(r.pseudo_accuracy)) : null))))),
		classes.length ? threshold_table(rounds, classes) : null);
	}
	return { node, update };
}
