/* config: the effective configuration of a run, and how to start it again. */

import { run_shell } from "../run_shell.js";
import { h } from "../dom.js";
import { href } from "../router.js";
import { code_block, col } from "../widgets.js";

function rows(object, prefix) {
	return Object.entries(object).flatMap(([key, value]) =>
		value !== null && typeof value === "object" && !Array.isArray(value)
			? rows(value, `${prefix}${key}.`)
			: [[`${prefix}${key}`, value]],
	);
}

export async function config_page(ctx) {
	const { run, node } = await run_shell(ctx, "/config");
	const json = JSON.stringify(run.config, null, 2);
	node.append(
		h(
			"div.columns",
			h(
				"section.card.flush",
				h(
					"div.table-wrap",
					h(
						"table",
						h("thead", h("tr", col("Key"), col("Value"))),
						h(
							"tbody",
							rows(run.config, "").map(([key, value]) =>
								h(
									"tr",
									h("td", h("code", key)),
									h(
										"td",
										Array.isArray(value)
											? value.join(", ")
											: value === null
												? h("span.muted", "none")
												: String(value),
									),
								),
							),
						),
					),
				),
			),
			h(
				"section.card",
				h(
					"div.card-head",
					h("h2", "As JSON"),
					h(
						"div.tools",
						h(
							"a.button.small",
							{ href: href("/new", { from: run.id }) },
							"New run from this one",
						),
					),
				),
				h(
					"p.muted",
					"Post it to /api/v1/runs to repeat the run: same seed and data give the same weights, bit for bit.",
				),
				code_block(json),
			),
		),
	);
	return node;
}
