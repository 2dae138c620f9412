/* run_form: the controls of the run form, each bound to a pointer into the configuration. */

import { h } from "./dom.js";
import { owner_of, parse_value, pointer_get, show_value } from "./run_fields.js";
import { select } from "./widgets.js";

/* controls: pointer -> {node, input, error, kind}. */
export function make_control(controls, field, choices, on_change) {
	const { at, label, kind, hint } = field;
	const id = `f${at.replaceAll("/", "-")}`;
	const error = h("span.error", { id: `${id}-error` });
	const props = { id, "aria-describedby": `${id}-error` };
	let input;
	if (kind === "bool") input = h("input", { ...props, type: "checkbox" });
	else if (Array.isArray(kind) || choices) input = select(props, choices || kind, "");
	else
		input = h("input", {
			...props,
			type: "text",
			inputmode: kind === "text" ? null : "decimal",
			spellcheck: "false",
			autocomplete: "off",
		});
	input.addEventListener(kind === "text" || input.tagName === "INPUT" ? "input" : "change", () => {
		on_change(
			at,
			kind === "bool" ? input.checked : parse_value(Array.isArray(kind) ? "text" : kind, input.value),
		);
	});
	const node =
		kind === "bool"
			? h("div.field", h("span.label", " "), h("label.check", input, label), error)
			: h(
					"div.field",
					h("label.label", { for: id }, label),
					input,
					hint ? h("span.hint", hint) : null,
					error,
				);
	controls.set(at, { node, input, error, kind });
	return node;
}

/* Shows a configuration in the controls, but leaves the one being typed in alone. */
export function show_config(controls, config) {
	for (const [at, { input, kind }] of controls) {
		const value = pointer_get(config, at);
		if (kind === "bool") input.checked = value === true;
		else if (document.activeElement !== input) input.value = show_value(kind, value);
	}
}

/* Marks the fields that errors [{pointer, detail}] belong to; returns those without a field. */
export function show_errors(controls, errors) {
	const other = [];
	for (const { node, error, input } of controls.values()) {
		node.classList.remove("bad");
		error.textContent = "";
		input.removeAttribute("aria-invalid");
	}
	for (const e of errors) {
		const owner = owner_of(e.pointer || "", controls);
		if (!owner) {
			other.push(e);
			continue;
		}
		const { node, error, input } = controls.get(owner);
		node.classList.add("bad");
		input.setAttribute("aria-invalid", "true");
		error.textContent = error.textContent ? `${error.textContent}; ${e.detail}` : e.detail;
	}
	return other;
}
