/* class_lines: a line for each class over the rounds, and a legend whose names hide and show them. */

import { line_color } from "./catalog.js";
import { chart, is_dark } from "./charts.js";
import { h, replace } from "./dom.js";
import { set_query } from "./router.js";
import { swatch } from "./widgets.js";

/* hidden: the set of hidden ids, which comes from ?query=; id: prefix of the buttons' ids; points(c): a class's
 * [[round, y], ...]; more: further series, not in the legend unless more_legend names them; options: the
 * chart's. -> {nodes, draw, destroy}; draw() shows new points. */
export function class_lines({ id, query, hidden, classes, points, more, more_legend, options }) {
	const body = h("div");
	const legend = h("ul.legend-row.toggles");
	let plot = null;

	function destroy() {
		if (plot) plot.destroy();
		plot = null;
	}
	function draw() {
		destroy();
		const series = classes
			.filter((c) => !hidden.has(c.id))
			.map((c) => ({
				label: c.name,
				color: () => line_color(c.color, is_dark()),
				points: points(c),
			}));
		plot = chart({
			points: true,
			focus: true,
			legend: false,
			...options(),
			series: [...series, ...(more ? more() : [])],
		});
		replace(body, plot.node);
	}
	/* The legend is drawn anew; the keyboard stays where it was. */
	function toggle(ids, focus) {
		const all_hidden = ids.every((c) => hidden.has(c));
		ids.forEach((c) => (all_hidden ? hidden.delete(c) : hidden.add(c)));
		set_query({ [query]: [...hidden].join(".") });
		draw();
		draw_legend();
		document.getElementById(focus).focus();
	}
	function draw_legend() {
		const all = classes.map((c) => c.id);
		replace(
			legend,
			h(
				"li",
				h(
					"button.small",
					{ id: `${id}-all`, onclick: () => toggle(all, `${id}-all`) },
					hidden.size === classes.length ? "show all" : "hide all",
				),
			),
			classes.map((c) =>
				h(
					"li",
					h(
						"button.quiet.small",
						{
							id: `${id}-${c.id}`,
							"aria-pressed": String(!hidden.has(c.id)),
							onclick: () => toggle([c.id], `${id}-${c.id}`),
						},
						swatch(c.color),
						c.name,
					),
				),
			),
			more_legend || null,
		);
	}
	draw();
	draw_legend();
	return { nodes: [body, legend], draw, destroy };
}

/* The hidden classes of a query like "3.7". */
export function hidden_of(text) {
	return new Set((text || "").split(".").filter(Boolean).map(Number));
}

/* A vertical axis of per cent around the values, in steps of ten. */
export function tens(_, low, high) {
	return [
		Math.max(0, Math.floor((low || 0) / 10) * 10),
		Math.min(100, Math.max(10, Math.ceil((high || 1) / 10) * 10)),
	];
}
