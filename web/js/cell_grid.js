/* cell_grid: every run of an experiment: variants down, seeds across, with the source models they share. */

import { h } from "./dom.js";
import { is_number, percent } from "./format.js";
import { href } from "./router.js";
import { col, state_pill } from "./widgets.js";

/* A cell's state leads to its run; below it what the run has reached. */
function entry(run, state, what, note) {
	const pill = state_pill(state);
	const link =
		run === null || run === undefined
			? pill
			: h("a", { href: href(`/runs/${run}`), "aria-label": `run ${run}: ${what}, ${state}` }, pill);
	return h("td", h("div.grid-cell", link, note));
}

function reached(cell) {
	if (!is_number(cell.miou)) return h("span.muted", "–");
	const best = is_number(cell.miou_best) && cell.miou_best > cell.miou;
	const title = [
		is_number(cell.miou_source) ? `source model ${percent(cell.miou_source)} %` : null,
		best ? `best ${percent(cell.miou_best)} %` : null,
	];
	return h("span", { title: title.filter(Boolean).join(", ") || null }, `${percent(cell.miou)} %`);
}

/* Source models of a seed: more than one where the variants do not train the same one. */
function source_cell(x, seed) {
	const list = x.source_runs.filter((r) => r.seed === seed);
	return h(
		"td",
		list.length
			? list.map((r) =>
					h(
						"div.grid-cell",
						r.run === null
							? state_pill(r.state)
							: h(
									"a",
									{
										href: href(`/runs/${r.run}`),
										"aria-label": `run ${r.run}: source model, seed ${seed}, ${r.state}`,
									},
									state_pill(r.state),
								),
						h("span", is_number(r.miou) ? `${percent(r.miou)} %` : "–"),
					),
				)
			: h("span.muted", "none"),
	);
}

export function cell_grid(x) {
	return h(
		"section.card",
		h("h2", "Runs"),
		h(
			"p.muted",
			"A variant's run starts when the source model of its seed is trained. The number is the mIoU of the last evaluation.",
		),
		h(
			"div.table-wrap",
			h(
				"table.cell-grid",
				h(
					"thead",
					h(
						"tr",
						col("Variant"),
						x.seeds.map((s) => col(`seed ${s}`)),
					),
				),
				h(
					"tbody",
					x.source_runs.length
						? h(
								"tr",
								h("th.muted", { scope: "row" }, "source models"),
								x.seeds.map((s) => source_cell(x, s)),
							)
						: null,
					x.variants.map((v) =>
						h(
							"tr",
							h("th", { scope: "row" }, v.name),
							x.seeds.map((s) => {
								const c = v.cells.find((y) => y.seed === s);
								return c
									? entry(c.run, c.state, `${v.name}, seed ${s}`, reached(c))
									: h("td", "–");
							}),
						),
					),
				),
			),
		),
	);
}
