/* image: one target image in one round: overlays, legend, why it is easy or hard, its history. */

import { get, items_of } from "../api.js";
import { run_classes } from "../catalog.js";
import { h, replace } from "../dom.js";
import { fixed, number } from "../format.js";
import { all_images, filter_of } from "../image_list.js";
import { history_card, legend_table, origin_table, why_box } from "../image_explain.js";
import { LAYERS, load_layers, origin_name, UNLABELLED } from "../layers.js";
import { go, href, set_query } from "../router.js";
import { viewer } from "../viewer.js";
import { arrow, select } from "../widgets.js";

const MODES = [["one", "overlay"], ["pair", "side by side"], ["all", "all layers"]];

function state_of(query) {
	return {
		mode: MODES.some(([m]) => m === query.mode) ? query.mode : "one",
		layer: LAYERS.some((l) => l.key === query.layer) ? query.layer : "prediction",
		opacity: query.opacity === undefined ? 0.6 : Math.min(1, Math.max(0, Number(query.opacity) || 0)),
		hidden: new Set((query.hide || "").split(".").filter(Boolean).map(Number)),
	};
}

/* What stands at one pixel, in words. */
function pixel_text(p, data, classes) {
	if (!p)
		return "Point at a pixel to read it.";
	const at = (key) => {
		const l = data.layer[key];
		return l ? l.index[Math.floor((p.y * l.height) / data.photo.height) * l.width + Math.floor((p.x * l.width) / data.photo.width)] : null;
	};
	const name = (i) => (i === null ? "–" : i === UNLABELLED ? "unlabelled" : (classes[i] || { name: `class ${i}` }).name);
	const confidence = at("confidence");
	return `x ${p.x}, y ${p.y}: predicted ${name(at("prediction"))}${confidence === null ? "" : ` (${fixed(confidence / 255, 2)})`}; ` +
		`confident ${name(at("pseudo_confident"))}; voted ${name(at("pseudo_voted"))}; final ${name(at("pseudo_final"))} (${origin_name(at("origin"))})`;
}

/* Confidence where easy begins, in every round of the history. */
async function easy_bounds(run_id, rounds, signal) {
	const found = await Promise.all(rounds.map(async (round) => {
		const page = await get(`/runs/${run_id}/images`, { round, split: "easy", sort: "confidence", limit: 1 }, signal);
		return [round, page.items.length ? page.items[0].confidence : null];
	}));
	return new Map(found);
}

function history_of(answer) {
	return Array.isArray(answer) ? answer : answer.history || answer.rounds || answer.items || [];
}

function neighbours(list, id) {
	const at = list.findIndex((i) => String(i.id) === String(id));
	return { at, before: at > 0 ? list[at - 1] : null, after: at >= 0 && at + 1 < list.length ? list[at + 1] : null };
}

function step_link(item, text, direction, to) {
	const content = direction < 0 ? [arrow(-1), text] : [text, arrow(1)];
	return item ? h("a", { class: "button", href: to(item), id: direction < 0 ? "image-prev" : "image-next", title: `${item.name} (arrow key)` }, content)
		: h("button", { type: "button", disabled: true }, content);
}

function keyboard(signal, handlers) {
	document.addEventListener("keydown", (e) => {
		if (e.ctrlKey || e.metaKey || e.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) || document.querySelector("dialog[open]"))
			return;
		const f = handlers[e.key];
		if (f) {
			e.preventDefault();
			f();
		}
	}, { signal });
}

function tools(state, view, changed) {
	const layer_buttons = h("div", { class: "segmented", role: "group", "aria-label": "layer" });
	const mode_buttons = h("div", { class: "segmented", role: "group", "aria-label": "arrangement" });
	const text = h("p", { class: "muted layer-text" });
	function draw() {
		replace(layer_buttons, LAYERS.map((l, i) => h("button", { type: "button", id: `layer-${l.key}`, title: `${l.text} (key ${i + 1})`,
			"aria-pressed": String(state.mode !== "all" && l.key === state.layer), onclick: () => choose({ layer: l.key }) }, l.name)));
		replace(mode_buttons, MODES.map(([mode, name]) => h("button", { type: "button", id: `mode-${mode}`, "aria-pressed": String(mode === state.mode),
			onclick: () => choose({ mode }) }, name)));
		text.textContent = state.mode === "all" ? "Every layer over the photo." : `${LAYERS.find((l) => l.key === state.layer).name}: ${LAYERS.find((l) => l.key === state.layer).text}.`;
	}
	/* Choosing one layer leaves the overview of all. */
	function choose(change) {
		if (change.layer && state.mode === "all")
			change.mode = "one";
		const id = document.activeElement && document.activeElement.id;
		Object.assign(state, change);
		set_query(change);
		draw();
		view.rebuild();
		changed();
		if (id && document.getElementById(id))
			document.getElementById(id).focus();
	}
	const slider = h("input", { type: "range", id: "opacity", min: 0, max: 1, step: 0.05, value: state.opacity, oninput: (e) => {
		state.opacity = Number(e.target.value);
		set_query({ opacity: e.target.value });
		view.redraw();
	} });
	const zoom = (name, title, f) => h("button", { type: "button", class: "small", title, "aria-label": title, onclick: f }, name);
	draw();
	return { choose, text, node: h("div", { class: "filters viewer-tools" }, layer_buttons, mode_buttons, h("label", { class: "inline" }, "opacity", slider),
		h("span", { class: "buttons tight" }, zoom("−", "zoom out", () => view.zoom_by(1 / 1.5)), zoom("fit", "whole image", () => view.fit()), zoom("+", "zoom in", () => view.zoom_by(1.5)))) };
}

export async function image_page(ctx) {
	const { id, image } = ctx.params;
	const [run, round_list, answer] = await Promise.all([get(`/runs/${id}`, null, ctx.signal), get(`/runs/${id}/rounds`, null, ctx.signal),
		get(`/runs/${id}/images/${image}`, null, ctx.signal)]);
	const rounds = items_of(round_list), history = history_of(answer);
	if (!history.length)
		return h("p", { class: "note" }, "This image has not been scored yet.");
	const wanted = Number(ctx.query.round);
	const round_no = ctx.query.round !== undefined && history.some((e) => e.round === wanted) ? wanted : history[history.length - 1].round;
	const filter = filter_of({ ...ctx.query, round: String(round_no) });
	const [classes, data, list, bounds] = await Promise.all([run_classes(run), load_layers(id, round_no, image, ctx.signal),
		all_images(id, filter), easy_bounds(id, history.map((e) => e.round), ctx.signal)]);
	const round = rounds.find((r) => r.round === round_no);
	const listed = list.items.find((i) => String(i.id) === String(image));
	const entry = { ...listed, ...history.find((e) => e.round === round_no) };
	if (!entry.class_confidence && listed)
		entry.class_confidence = listed.class_confidence;
	const name = answer.name || entry.name || `image ${image}`;
	document.title = `${name} · ${run.name}`;

	const state = state_of(ctx.query);
	const readout = h("p", { class: "readout", role: "status" }, pixel_text(null));
	const view = viewer({ data, classes, state, signal: ctx.signal, on_pixel: (p) => { readout.textContent = pixel_text(p, data, classes); } });
	const legend = h("section", { class: "card" });
	function toggle(ids, show) {
		ids.forEach((k) => (show ? state.hidden.delete(k) : state.hidden.add(k)));
		set_query({ hide: [...state.hidden].join(".") });
		view.repaint();
		draw_legend();
	}
	function draw_legend() {
		const chosen = LAYERS.find((l) => l.key === state.layer);
		const counted = chosen.kind === "class" && data.layer[chosen.key] ? chosen : LAYERS.find((l) => l.key === "prediction");
		const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.class : undefined;
		replace(legend, h("div", { class: "card-head" }, h("h2", null, "Classes"), h("div", { class: "tools" }, `area in: ${counted.name.toLowerCase()}`)),
			chosen.kind === "origin" && data.layer.origin ? origin_table(data.layer.origin) : null,
			legend_table({ layer: data.layer[counted.key], entry, round, classes, state, on_toggle: toggle }));
		const again = focus !== undefined && legend.querySelector(`input[data-class="${focus}"]`);
		if (again)
			again.focus();
	}
	const bar = tools(state, view, draw_legend);
	draw_legend();

	const to = (item) => href(`/runs/${id}/images/${item.id}`, { ...ctx.query, round: round_no });
	const near = neighbours(list.items, image);
	const step = (item) => () => item && go(`/runs/${id}/images/${item.id}`, { ...ctx.query, round: round_no });
	keyboard(ctx.signal, { ArrowLeft: step(near.before), ArrowRight: step(near.after), "+": () => view.zoom_by(1.5), "-": () => view.zoom_by(1 / 1.5), 0: () => view.fit(),
		...Object.fromEntries(LAYERS.map((l, i) => [String(i + 1), () => bar.choose({ layer: l.key })])) });
	const where = near.at < 0 ? "not in this filter" : `${number(near.at + 1)} of ${number(list.items.length)}${filter.split ? ` ${filter.split}` : ""}`;
	const colours = new Set(classes.map((c) => c.color.join()));
	return h("div", { class: "image-page" },
		h("p", { class: "crumb" }, h("a", { href: "#/runs" }, "Runs"), " / ", h("a", { href: href(`/runs/${id}`) }, run.name), " / ", h("a", { href: href(`/runs/${id}/images`, filter) }, "Images")),
		h("div", { class: "head" }, h("h1", null, name), h("span", { class: `chip ${entry.split}` }, entry.split),
			h("label", { class: "inline" }, "Round", select({ id: "image-round", onchange: (e) => go(ctx.path, { ...ctx.query, round: e.target.value }) }, history.map((e) => e.round), round_no)),
			h("div", { class: "buttons" }, h("span", { class: "muted" }, where), step_link(near.before, "Previous", -1, to), step_link(near.after, "Next", 1, to))),
		bar.node,
		h("div", { class: "image-columns" },
			h("div", null, view.node, readout, bar.text,
				colours.size < classes.length ? h("p", { class: "muted" }, "Some classes of this set share a colour; the read-out tells them apart.") : null,
				history_card(history, bounds, id, image, { ...ctx.query, round: round_no }, ctx.signal)),
			h("aside", null, why_box(entry, round, classes, history.length && round ? round.easy + round.hard : null), legend)));
}
