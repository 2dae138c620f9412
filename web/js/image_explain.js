/* image_explain: why an image counts as easy or hard, its classes, and its history over the rounds. */

import { chart, css } from "./charts.js";
import { css_color } from "./catalog.js";
import { h } from "./dom.js";
import { fixed, is_number, number, percent } from "./format.js";
import { href } from "./router.js";
import { count_index, origin_name, UNLABELLED } from "./layers.js";
import { coverage_bar, covered, origin_legend, ORIGINS, ORIGIN_TEXT, verdict_chip } from "./widgets.js";

/* One term of the mean of eq. (6): share of pixels above the threshold, divided by the threshold. */
function term(share, lambda) {
	return is_number(share) && is_number(lambda) && lambda > 0 ? share / lambda : null;
}

export function class_rows(entry, round, classes) {
	const shares = entry.class_confidence || [];
	return classes.map((c, k) => ({ ...c, share: is_number(shares[k]) ? shares[k] : null,
		lambda: round && round.thresholds ? round.thresholds[k] : null,
		term: term(shares[k], round && round.thresholds ? round.thresholds[k] : null) }));
}

export function why_box(entry, round, classes, total) {
	const rows = class_rows(entry, round, classes).filter((r) => r.share !== null).sort((a, b) => a.share - b.share);
	const easy = entry.split === "easy";
	const name_list = (list) => list.map((r) => `${r.name} ${percent(r.share, 0)}\u00a0%`).join(", ");
	const place = is_number(entry.rank) ? `It is number ${number(entry.rank + 1)}${total ? ` of ${number(total)}` : ""} by confidence; ` : "";
	const share = round ? `the first ${number(round.easy)} count as easy.` : "";
	return h("section", { class: "card why" },
		h("h2", null, `Why ${entry.split}`),
		h("p", { class: "verdict-line" }, verdict_chip(entry.split), h("b", null, `confidence ${fixed(entry.confidence)}`)),
		h("p", null, place, share),
		rows.length ? h("p", null, `${rows.length} classes are predicted here. `, easy ? "Surest: " : "Least sure: ",
			h("strong", null, name_list(easy ? rows.slice(-3).reverse() : rows.slice(0, 3))), " of their pixels are above the class threshold.") : null,
		h("p", { class: "muted" }, "Confidence is the mean over the predicted classes of (share of pixels above λ) / λ; dividing by λ lifts images with rare classes."),
		coverage_bar(entry.coverage), origin_legend());
}

/* The legend: class toggles, pixels in the shown layer, and what each class adds to the confidence. */
export function legend_table({ layer, entry, round, classes, state, on_toggle }) {
	const counts = count_index(layer);
	const pixels = layer ? layer.index.length : 0;
	const rows = class_rows(entry, round, classes);
	const all = h("input", { type: "checkbox", checked: state.hidden.size === 0, "aria-label": "all classes",
		indeterminate: state.hidden.size > 0 && state.hidden.size < classes.length,
		onchange: (e) => on_toggle(classes.map((c) => c.id), e.target.checked) });
	const row = (c) => {
		const seen = counts[c.id] > 0;
		return h("tr", { class: seen ? null : "absent" },
			h("td", null, h("label", { class: "inline" }, h("input", { type: "checkbox", checked: !state.hidden.has(c.id), data: { class: c.id },
				onchange: (e) => on_toggle([c.id], e.target.checked) }), h("i", { class: "swatch", style: { "background-color": css_color(c.color) } }), c.name)),
			h("td", { class: "num", title: `${number(counts[c.id])} pixels` }, seen ? percent(counts[c.id] / pixels) : "–"),
			h("td", { class: "num" }, c.share === null ? "–" : percent(c.share, 0)),
			h("td", { class: "num" }, fixed(c.lambda)),
			h("td", { class: "num" }, fixed(c.term, 2)));
	};
	return h("div", { class: "table-wrap" }, h("table", { class: "legend-table" },
		h("thead", null, h("tr", null, h("th", { scope: "col" }, h("label", { class: "inline" }, all, "Class")),
			h("th", { scope: "col", class: "num", title: "share of the image in the shown layer" }, "Area %"),
			h("th", { scope: "col", class: "num", title: "share of the pixels predicted as this class whose probability is above λ" }, "Sure %"),
			h("th", { scope: "col", class: "num", title: "class threshold of this round" }, "λ"),
			h("th", { scope: "col", class: "num", title: "sure / λ: the class's term in the image's confidence" }, "Term"))),
		h("tbody", null, rows.map(row), h("tr", null, h("td", null, h("span", { class: "inline" }, h("i", { class: "swatch none" }), "unlabelled")),
			h("td", { class: "num" }, percent(counts[UNLABELLED] / pixels)), h("td"), h("td"), h("td")))));
}

export function origin_table(layer) {
	const counts = { confident: 0, voted: 0, soft: 0, ignored: 0 };
	count_index(layer).forEach((n, i) => { counts[origin_name(i)] += n; });
	return h("table", { class: "origin-table" }, h("tbody", null, ORIGINS.map((o) => h("tr", null,
		h("td", null, h("span", { class: "inline" }, h("i", { class: `swatch origin-${o}` }), o)),
		h("td", { class: "muted" }, ORIGIN_TEXT[o]), h("td", { class: "num nowrap" }, `${percent(counts[o] / layer.index.length)} %`)))));
}

/* bounds: round -> confidence of the least confident easy image, where known. */
export function history_card(history, bounds, run_id, image_id, query, signal) {
	const here = Number(query.round);
	const points = history.map((e) => [e.round, e.confidence]);
	const limit = history.filter((e) => is_number(bounds.get(e.round))).map((e) => [e.round, bounds.get(e.round)]);
	const rounds = history.map((e) => e.round);
	const plot = chart({ label: "confidence of this image over the rounds; the numbers are in the table", height: 170, points: true, signal, x_value: (x) => `round ${x}`, value: (v) => fixed(v), x_label: "round",
		series: [{ label: "this image", points, color: () => css("--accent"), width: 2 },
			{ label: "easy from", points: limit, color: () => css("--muted"), dash: [5, 4], width: 1 }],
		x_range: () => [Math.min(...rounds) - 0.3, Math.max(...rounds) + 0.3], x_splits: () => rounds, x_values: (_, t) => t.map(String),
		lines: [{ x: here, label: "shown" }] });
	return h("section", { class: "card" }, h("h2", null, "Over the rounds"), plot.node,
		h("div", { class: "table-wrap scroll" }, h("table", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Round"), h("th", { scope: "col" }, "Verdict"),
			h("th", { scope: "col", class: "num" }, "Confidence"), h("th", { scope: "col", class: "num" }, "Rank"), h("th", { scope: "col", class: "wide-cell" }, "Labels"), h("th", { scope: "col", class: "num" }, "Labelled %"))),
		h("tbody", null, history.map((e) => h("tr", { class: e.round === here ? "selected" : null },
			h("td", null, h("a", { href: href(`/runs/${run_id}/images/${image_id}`, { ...query, round: e.round }) }, e.round)),
			h("td", null, verdict_chip(e.split)), h("td", { class: "num" }, fixed(e.confidence)),
			h("td", { class: "num" }, is_number(e.rank) ? e.rank + 1 : "–"), h("td", { class: "wide-cell" }, coverage_bar(e.coverage)),
			h("td", { class: "num" }, percent(covered(e.coverage)))))))));
}
