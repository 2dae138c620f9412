/* config: the effective configuration of a run, and how to start it again. */

import { run_shell } from "../run_shell.js";
import { h } from "../dom.js";
import { href } from "../router.js";
import { code_block } from "../widgets.js";

function rows(object, prefix) {
	return Object.entries(object).flatMap(([key, value]) => (value !== null && typeof value === "object" && !Array.isArray(value)
		? rows(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value]]));
}

export async function config_page(ctx) {
	const { run, node } = await run_shell(ctx, "/config");
	const json = JSON.stringify(run.config, null, 2);
	node.append(h("div", { class: "columns" },
		h("section", { class: "card flush" }, h("div", { class: "table-wrap" }, h("table", null,
			h("thead", null, h("tr", null, h("th", { scope: "col" }, "Key"), h("th", { scope: "col" }, "Value"))),
			h("tbody", null, rows(run.config, "").map(([key, value]) => h("tr", null, h("td", null, h("code", null, key)),
				h("td", null, Array.isArray(value) ? value.join(", ") : value === null ? h("span", { class: "muted" }, "none") : String(value)))))))),
		h("section", { class: "card" }, h("div", { class: "card-head" }, h("h2", null, "As JSON"),
			h("div", { class: "tools" }, h("a", { class: "button small", href: href("/new", { from: run.id }) }, "New run from this one"))),
			h("p", { class: "muted" }, "Post it to /api/v1/runs to repeat the run: same seed and data give the same weights, bit for bit."), code_block(json))));
	return node;
}
