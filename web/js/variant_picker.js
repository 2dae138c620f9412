/* variant_picker: the variants of a new experiment: a box for every preset and for the oracle, a row for every
 * variant, and which of them are the baseline and the upper bound. */

import { find_dataset } from "./catalog.js";
import { h, replace } from "./dom.js";
import {
	find_oracle,
	has_preset,
	ORACLE,
	variants_of,
	with_oracle,
	with_preset,
	with_variants,
} from "./experiment_definition.js";
import { pointer_get } from "./run_fields.js";
import { select } from "./widgets.js";

function box(id, checked, title, hint, on_change, disabled) {
	return h(
		"label.preset",
		h("input", { type: "checkbox", id, checked, disabled, onchange: (e) => on_change(e.target.checked) }),
		h("span", h("strong", title), h("span.hint", hint)),
	);
}

function boxes_of(d, presets, sets, set) {
	const target = find_dataset(sets, pointer_get(d, "/config/target"));
	const oracle = find_oracle(d) !== null;
	const can = oracle || (target !== null && target.labelled > 0);
	const order = presets.map((p) => p.name);
	return [
		presets.map((p) =>
			box(`preset-${p.name}`, has_preset(d, p.name), p.name, p.text, (on) =>
				set(with_preset(d, p.name, on, order)),
			),
		),
		box(
			"preset-oracle",
			oracle,
			ORACLE,
			can
				? "trained on the target's own labels: the upper bound"
				: "upper bound: needs a target with labels",
			(on) => set(with_oracle(d, on)),
			!can,
		),
	];
}

function row_of(d, v, i, set) {
	return h(
		"li",
		h("strong", String(v.name)),
		h("span.muted", v.preset === v.name ? "" : String(v.preset || "")),
		v.config ? h("code", JSON.stringify(v.config)) : null,
		h(
			"button.quiet.small",
			{
				id: `drop-${i}`,
				disabled: variants_of(d).length < 2,
				"aria-label": `remove ${v.name}`,
				onclick: () =>
					set(
						with_variants(
							d,
							variants_of(d).filter((_, k) => k !== i),
						),
					),
			},
			"remove",
		),
		h("span.error", { id: `variant-${i}-error` }),
	);
}

/* set(definition) is called with every change. update(definition) shows it; controls() are those for
 * show_errors, by pointer. */
export function variant_picker(presets, sets, set) {
	const boxes = h("div.presets"),
		rows = h("ul.variant-rows"),
		roles = h("div.form-grid");
	const shown = new Map();

	function role(d, at, label, choices, hint) {
		const id = `role${at.replace("/", "-")}`;
		const error = h("span.error", { id: `${id}-error` });
		const input = select(
			{
				id,
				"aria-describedby": `${id}-error`,
				onchange: (e) => set({ ...d, [at.slice(1)]: e.target.value || null }),
			},
			choices,
			pointer_get(d, at),
		);
		const node = h("div.field", h("label.label", { for: id }, label), input, h("span.hint", hint), error);
		shown.set(at, { node, input, error });
		return node;
	}
	function update(d) {
		const names = variants_of(d).map((v) => v.name);
		shown.clear();
		replace(boxes, boxes_of(d, presets, sets, set));
		replace(
			rows,
			variants_of(d).map((v, i) => row_of(d, v, i, set)),
		);
		[...rows.children].forEach((node, i) =>
			shown.set(`/variants/${i}`, {
				node,
				input: node.querySelector("button"),
				error: node.querySelector(".error"),
			}),
		);
		replace(
			roles,
			role(d, "/baseline", "Baseline", names, "every other variant is compared with it"),
			role(
				d,
				"/upper_bound",
				"Upper bound",
				[["", "none"], ...names.map((v) => [v, v])],
				"what is left to gain is measured against it",
			),
		);
	}
	return {
		node: h("fieldset", h("legend", "Variants"), boxes, rows, roles),
		update,
		controls: () => shown,
	};
}
