/* image_explain: why an image counts as easy or hard, its classes, and its history over the rounds. */

import { chart, css } from "./charts.js";
import { h } from "./dom.js";
import { fixed, is_number, number, percent } from "./format.js";
import { href } from "./router.js";
import { count_index, origin_name, UNLABELLED } from "./layers.js";
import {
	ORIGINS,
	ORIGIN_TEXT,
	col,
	col_num,
	coverage_bar,
	covered,
	origin_legend,
	swatch,
	verdict_chip,
} from "./widgets.js";

/* One term of the mean of eq. (6): share of pixels above the threshold, divided by the threshold. */
function term(share, lambda) {
	return is_number(share) && is_number(lambda) && lambda > 0 ? share / lambda : null;
}

export function class_rows(entry, round, classes) {
	const shares = entry.class_confidence || [];
	return classes.map((c, k) => ({
		...c,
		share: is_number(shares[k]) ? shares[k] : null,
		lambda: round && round.thresholds ? round.thresholds[k] : null,
		term: term(shares[k], round && round.thresholds ? round.thresholds[k] : null),
	}));
}

export function why_box(entry, round, classes, total) {
	const rows = class_rows(entry, round, classes)
		.filter((r) => r.share !== null)
		.sort((a, b) => a.share - b.share);
	const easy = entry.split === "easy";
	const name_list = (list) => list.map((r) => `${r.name} ${percent(r.share, 0)}\u00a0%`).join(", ");
	const place = is_number(entry.rank)
		? `It is number ${number(entry.rank + 1)}${total ? ` of ${number(total)}` : ""} by confidence; `
		: "";
	const share = round ? `the first ${number(round.easy)} count as easy.` : "";
	return h(
		"section.card.why",
		h("h2", `Why ${entry.split}`),
		h("p.verdict-line", verdict_chip(entry.split), h("b", `confidence ${fixed(entry.confidence)}`)),
		h("p", place, share),
		rows.length
			? h(
					"p",
					`${rows.length} classes are predicted here. `,
					easy ? "Surest: " : "Least sure: ",
					h("strong", name_list(easy ? rows.slice(-3).reverse() : rows.slice(0, 3))),
					" of their pixels are above the class threshold.",
				)
			: null,
		h(
			"p.muted",
			"Confidence is the mean over the predicted classes of (share of pixels above λ) / λ; dividing by λ lifts images with rare classes.",
		),
		coverage_bar(entry.coverage),
		origin_legend(),
	);
}

/* The legend: class toggles, pixels in the shown layer, and what each class adds to the confidence. */
export function legend_table({ layer, entry, round, classes, state, on_toggle }) {
	const counts = count_index(layer);
	const pixels = layer ? layer.index.length : 0;
	const rows = class_rows(entry, round, classes);
	const all = h("input", {
		type: "checkbox",
		checked: state.hidden.size === 0,
		"aria-label": "all classes",
		indeterminate: state.hidden.size > 0 && state.hidden.size < classes.length,
		onchange: (e) =>
			on_toggle(
				classes.map((c) => c.id),
				e.target.checked,
			),
	});
	const row = (c) => {
		const seen = counts[c.id] > 0;
		return h(
			"tr",
			{ class: seen ? null : "absent" },
			h(
				"td",
				h(
					"label.inline",
					h("input", {
						type: "checkbox",
						checked: !state.hidden.has(c.id),
						data: { class: c.id },
						onchange: (e) => on_toggle([c.id], e.target.checked),
					}),
					swatch(c.color),
					c.name,
				),
			),
			h(
				"td.num",
				{ title: `${number(counts[c.id])} pixels` },
				seen ? percent(counts[c.id] / pixels) : "–",
			),
			h("td.num", c.share === null ? "–" : percent(c.share, 0)),
			h("td.num", fixed(c.lambda)),
			h("td.num", fixed(c.term, 2)),
		);
	};
	return h(
		"div.table-wrap",
		h(
			"table.legend-table",
			h(
				"thead",
				h(
					"tr",
					col(h("label.inline", all, "Class")),
					col_num("Area %", "share of the image in the shown layer"),
					col_num(
						"Sure %",
						"share of the pixels predicted as this class whose probability is above λ",
					),
					col_num("λ", "class threshold of this round"),
					col_num("Term", "sure / λ: the class's term in the image's confidence"),
				),
			),
			h(
				"tbody",
				rows.map(row),
				h(
					"tr",
					h("td", h("span.inline", h("i.swatch.none"), "unlabelled")),
					h("td.num", percent(counts[UNLABELLED] / pixels)),
					h("td"),
					h("td"),
					h("td"),
				),
			),
		),
	);
}

export function origin_table(layer) {
	const counts = { confident: 0, voted: 0, soft: 0, ignored: 0 };
	count_index(layer).forEach((n, i) => {
		counts[origin_name(i)] += n;
	});
	return h(
		"table.origin-table",
		h(
			"tbody",
			ORIGINS.map((o) =>
				h(
					"tr",
					h("td", h("span.inline", h("i", { class: `swatch origin-${o}` }), o)),
					h("td.muted", ORIGIN_TEXT[o]),
					h("td.num.nowrap", `${percent(counts[o] / layer.index.length)} %`),
				),
			),
		),
	);
}

/* bounds: round -> confidence of the least confident easy image, where known. */
export function history_card(history, bounds, run_id, image_id, query, signal) {
	const here = Number(query.round);
	const points = history.map((e) => [e.round, e.confidence]);
	const limit = history
		.filter((e) => is_number(bounds.get(e.round)))
		.map((e) => [e.round, bounds.get(e.round)]);
	const rounds = history.map((e) => e.round);
	const plot = chart({
		label: "confidence of this image over the rounds; the numbers are in the table",
		height: 170,
		points: true,
		signal,
		x_value: (x) => `round ${x}`,
		value: (v) => fixed(v),
		x_label: "round",
		series: [
			{ label: "this image", points, color: () => css("--accent"), width: 2 },
			{ label: "easy from", points: limit, color: () => css("--muted"), dash: [5, 4], width: 1 },
		],
		x_range: () => [Math.min(...rounds) - 0.3, Math.max(...rounds) + 0.3],
		x_splits: () => rounds,
		x_values: (_, t) => t.map(String),
		lines: [{ x: here, label: "shown" }],
	});
	return h(
		"section.card",
		h("h2", "Over the rounds"),
		plot.node,
		h(
			"div.table-wrap.scroll",
			h(
				"table",
				h(
					"thead",
					h(
						"tr",
						col("Round"),
						col("Verdict"),
						col_num("Confidence"),
						col_num("Rank"),
						col("Labels", "wide-cell"),
						col_num("Labelled %"),
					),
				),
				h(
					"tbody",
					history.map((e) =>
						h(
							"tr",
							{ class: e.round === here ? "selected" : null },
							h(
								"td",
								h(
									"a",
									{
										href: href(`/runs/${run_id}/images/${image_id}`, {
											...query,
											round: e.round,
										}),
									},
									e.round,
								),
							),
							h("td", verdict_chip(e.split)),
							h("td.num", fixed(e.confidence)),
							h("td.num", is_number(e.rank) ? e.rank + 1 : "–"),
							h("td.wide-cell", coverage_bar(e.coverage)),
							h("td.num", percent(covered(e.coverage))),
						),
					),
				),
			),
		),
	);
}
