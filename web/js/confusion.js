/* confusion: the confusion matrix of one evaluation, each row normalised to the true class's pixels. */

import { get } from "./api.js";
import { heat } from "./charts.js";
import { h } from "./dom.js";
import { is_source, number, percent, round_name } from "./format.js";
import { go, href } from "./router.js";
import { col, swatch } from "./widgets.js";

function confusion_table(c, classes, run_id) {
	const sums = c.matrix.map((row) => row.reduce((a, b) => a + b, 0));
	return h(
		"div.table-wrap",
		h(
			"table.heat-table.confusion",
			h(
				"thead",
				h(
					"tr",
					col("truth ↓ predicted →"),
					classes.map((k) => h("th", { scope: "col", title: k.name }, h("span.slanted", k.name))),
				),
			),
			h(
				"tbody",
				c.matrix.map((row, t) =>
					h(
						"tr",
						h("th", { scope: "row" }, swatch(classes[t].color), " ", classes[t].name),
						row.map((n, p) => {
							const share = sums[t] > 0 ? n / sums[t] : null;
							const text =
								share === null
									? `${classes[t].name} is not in the labels`
									: `${percent(share)} % of ${classes[t].name} is predicted as ${classes[p].name} (${number(n)} pixels)`;
							return h(
								"td",
								{
									class: t === p ? "num diagonal" : "num",
									style: share === null ? null : heat(share),
									title: text,
								},
								share === null
									? ""
									: h(
											"a",
											{
												href: href(`/runs/${run_id}/images`, {
													class: p,
													sort: "confidence",
												}),
												"aria-label": text,
											},
											share >= 0.005 ? Math.round(100 * share) : "·",
										),
							);
						}),
					),
				),
			),
		),
	);
}

export async function confusion_card(iou, classes, ctx) {
	const rounds = iou.points.map((p) => p.round);
	const wanted = ctx.query.round;
	const round =
		wanted === "source" ? null : wanted !== undefined ? Number(wanted) : rounds[rounds.length - 1];
	const c = await get(
		`/runs/${ctx.params.id}/confusion`,
		{ round: is_source(round) ? "source" : round },
		ctx.signal,
	);
	const chosen = is_source(round) ? "source" : String(round);
	return h(
		"section.card",
		h(
			"div.card-head",
			h("h2", "Confusion, % of the true class"),
			h(
				"div.tools",
				h(
					"label.inline",
					"model after",
					h(
						"select",
						{
							id: "confusion-round",
							value: chosen,
							onchange: (e) => go(ctx.path, { ...ctx.query, round: e.target.value }),
						},
						rounds.map((r) => h("option", { value: is_source(r) ? "source" : r }, round_name(r))),
					),
				),
			),
		),
		confusion_table(c, classes, ctx.params.id),
		h("p.muted", "A cell opens the images in which the predicted class occurs, least confident first."),
	);
}
