/* viewer_tools: what surrounds the viewer: its state in the URL, its buttons, and the pixel read-out. */

import { h, replace } from "./dom.js";
import { fixed } from "./format.js";
import { LAYERS, origin_name, UNLABELLED } from "./layers.js";
import { set_query } from "./router.js";

const MODES = [
	["one", "overlay"],
	["pair", "side by side"],
	["all", "all layers"],
];

/* The view's part of a page's query. */
export function view_state(query) {
	return {
		mode: MODES.some(([m]) => m === query.mode) ? query.mode : "one",
		layer: LAYERS.some((l) => l.key === query.layer) ? query.layer : "prediction",
		opacity: query.opacity === undefined ? 0.6 : Math.min(1, Math.max(0, Number(query.opacity) || 0)),
		hidden: new Set((query.hide || "").split(".").filter(Boolean).map(Number)),
	};
}

/* What stands at one pixel, in words. */
export function pixel_text(p, data, classes) {
	if (!p) return "Point at a pixel to read it.";
	const at = (key) => {
		const l = data.layer[key];
		if (!l) return null;
		const x = Math.floor((p.x * l.width) / data.photo.width);
		const y = Math.floor((p.y * l.height) / data.photo.height);
		return l.index[y * l.width + x];
	};
	const name = (i) =>
		i === null ? "–" : i === UNLABELLED ? "unlabelled" : (classes[i] || { name: `class ${i}` }).name;
	const confidence = at("confidence");
	return (
		`x ${p.x}, y ${p.y}: predicted ${name(at("prediction"))}${confidence === null ? "" : ` (${fixed(confidence / 255, 2)})`}; ` +
		`confident ${name(at("pseudo_confident"))}; voted ${name(at("pseudo_voted"))}; final ${name(at("pseudo_final"))} (${origin_name(at("origin"))})`
	);
}

/* Choice of layer and arrangement, opacity, zoom. changed() is called when layer or arrangement did. */
export function tools(state, view, changed) {
	const layer_buttons = h("div.segmented", { role: "group", "aria-label": "layer" });
	const mode_buttons = h("div.segmented", { role: "group", "aria-label": "arrangement" });
	const text = h("p.muted.layer-text");
	function draw() {
		replace(
			layer_buttons,
			LAYERS.map((l, i) =>
				h(
					"button",
					{
						id: `layer-${l.key}`,
						title: `${l.text} (key ${i + 1})`,
						"aria-pressed": String(state.mode !== "all" && l.key === state.layer),
						onclick: () => choose({ layer: l.key }),
					},
					l.name,
				),
			),
		);
		replace(
			mode_buttons,
			MODES.map(([mode, name]) =>
				h(
					"button",
					{
						id: `mode-${mode}`,
						"aria-pressed": String(mode === state.mode),
						onclick: () => choose({ mode }),
					},
					name,
				),
			),
		);
		text.textContent =
			state.mode === "all"
				? "Every layer over the photo."
				: `${LAYERS.find((l) => l.key === state.layer).name}: ${LAYERS.find((l) => l.key === state.layer).text}.`;
	}
	/* Choosing one layer leaves the overview of all. */
	function choose(change) {
		if (change.layer && state.mode === "all") change.mode = "one";
		const id = document.activeElement && document.activeElement.id;
		Object.assign(state, change);
		set_query(change);
		draw();
		view.rebuild();
		changed();
		if (id && document.getElementById(id)) document.getElementById(id).focus();
	}
	const slider = h("input", {
		type: "range",
		id: "opacity",
		min: 0,
		max: 1,
		step: 0.05,
		value: state.opacity,
		oninput: (e) => {
			state.opacity = Number(e.target.value);
			set_query({ opacity: e.target.value });
			view.redraw();
		},
	});
	const zoom = (name, title, f) => h("button.small", { title, "aria-label": title, onclick: f }, name);
	draw();
	return {
		choose,
		text,
		node: h(
			"div.filters.viewer-tools",
			layer_buttons,
			mode_buttons,
			h("label.inline", "opacity", slider),
			h(
				"span.buttons.tight",
				zoom("−", "zoom out", () => view.zoom_by(1 / 1.5)),
				zoom("fit", "whole image", () => view.fit()),
				zoom("+", "zoom in", () => view.zoom_by(1.5)),
			),
		),
	};
}
