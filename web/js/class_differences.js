/* class_differences: what each variant changes in each class, against the baseline. */

import { rgb } from "./catalog.js";
import { heat_signed } from "./charts.js";
import { h } from "./dom.js";
import { find_variant, others } from "./experiment.js";
import { is_number, percent, signed_percent, with_deviation } from "./format.js";
import { col, col_num, swatch } from "./widgets.js";

const LEAST_SCALE = 0.05; /* differences of a point or two are not painted as if they were large */
const MOST_ACROSS = 8; /* names of more variants than this stand upright, or they would break within words */

function cell(value, most, text) {
	return h(
		"td.num",
		{ style: is_number(value) ? heat_signed(value, most) : null, title: text },
		signed_percent(value),
	);
}

export function class_differences(x) {
	const baseline = find_variant(x, x.baseline);
	const compared = others(x).filter((v) => v.difference);
	const of = (v, k) => (v.difference.iou || [])[k];
	/* The upper bound's differences would leave the others pale. */
	const scaled = compared.length > 1 ? compared.filter((v) => v.name !== x.upper_bound) : compared;
	const sizes = scaled.flatMap((v) => (v.difference.iou || []).filter(is_number).map(Math.abs));
	const head = h("h2", "Differences by class, points of IoU");
	if (!sizes.length)
		return h(
			"section.card",
			head,
			h("p.muted", "They appear when a variant and the baseline have finished the same seed."),
		);
	const most = Math.max(LEAST_SCALE, ...sizes);
	const base_iou = (k) => (baseline && baseline.iou ? baseline.iou[k] : null);
	return h(
		"section.card",
		head,
		h(
			"div.table-wrap",
			h(
				`table.heat-table.differences${compared.length > MOST_ACROSS ? ".upright" : ""}`,
				h(
					"thead",
					h(
						"tr",
						col("Class"),
						col_num(`${x.baseline}, IoU %`, "mean ± standard deviation over the seeds"),
						compared.map((v) => col_num(h("span", v.name))),
					),
				),
				h(
					"tbody",
					x.classes.map((c, k) =>
						h(
							"tr",
							h("th", { scope: "row" }, swatch(rgb(c.color)), " ", c.name),
							h("td.num.nowrap", with_deviation(base_iou(k))),
							compared.map((v) =>
								cell(
									of(v, k),
									most,
									is_number(of(v, k))
										? `${c.name}: ${v.name} ${with_deviation((v.iou || [])[k])} %`
										: `${c.name} is not in the labels`,
								),
							),
						),
					),
					h(
						"tr.mean-row",
						h("th", { scope: "row" }, "mean"),
						h("td.num.nowrap", with_deviation(baseline && baseline.miou)),
						compared.map((v) => cell(v.difference.mean, most, `${v.name}: mean of the classes`)),
					),
				),
			),
		),
		h(
			"p.muted",
			`Means over the seeds that both have. The full colours stand for ${percent(most)} points and more, up or down; the sign is in the number.`,
		),
	);
}
