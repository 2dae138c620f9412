/* widgets: the parts that several pages share. */

import { css_color } from "./catalog.js";
import { h, svg } from "./dom.js";
import { percent, is_number } from "./format.js";

export function state_pill(state) {
	return h("span", { class: `pill state-${state}` }, h("i.dot", { "aria-hidden": "true" }), state);
}

/* A class's colour. */
export function swatch(color) {
	return h("i.swatch", { style: { "background-color": css_color(color) }, "aria-hidden": "true" });
}

/* Easy or hard: letter and word besides the colour. */
export function verdict_chip(split) {
	return h("span", { class: `chip ${split}` }, split);
}

export function progress_bar(value, label) {
	const share = is_number(value) ? Math.min(1, Math.max(0, value)) : 0;
	return h(
		"div.progress",
		{
			role: "progressbar",
			"aria-label": label || "progress",
			"aria-valuemin": 0,
			"aria-valuemax": 100,
			"aria-valuenow": Math.round(100 * share),
		},
		h("span", { style: { width: `${100 * share}%` } }),
	);
}

export const ORIGINS = ["confident", "voted", "soft", "ignored"];
export const ORIGIN_TEXT = {
	confident: "probability above the class threshold",
	voted: "won by the sliding-window vote of confident neighbours",
	soft: "easy image: down-weighted label (p/λ)^γ",
	ignored: "no label: does not take part in training",
};

/* Stacked bar of where labels come from; coverage is {confident, voted, soft, ignored}, shares. */
export function coverage_bar(coverage) {
	const c = coverage || {};
	const text = ORIGINS.map((o) => `${o} ${percent(c[o])} %`).join(", ");
	return h(
		"div.stack",
		{ role: "img", "aria-label": text, title: text },
		ORIGINS.map((o) => h("span", { class: `origin-${o}`, style: { width: `${100 * (c[o] || 0)}%` } })),
	);
}

export function origin_legend() {
	return h(
		"ul.legend-row",
		{ "aria-label": "where labels come from" },
		ORIGINS.map((o) =>
			h(
				"li",
				{ title: ORIGIN_TEXT[o] },
				h("i", { class: `swatch origin-${o}`, "aria-hidden": "true" }),
				o,
			),
		),
	);
}

export function covered(coverage) {
	if (is_number(coverage)) return coverage;
	return coverage ? (coverage.confident || 0) + (coverage.voted || 0) + (coverage.soft || 0) : null;
}

/* A figure under its name; tiles stand in a .tiles box. */
export function tile(label, value, note, cls) {
	return h(
		"div.tile",
		h("span.tile-label", label),
		h("span.tile-value", value),
		h("span", { class: `tile-note ${cls || ""}` }, note || ""),
	);
}

export function problem_box(e) {
	return h(
		"div.problem",
		{ role: "alert" },
		h("strong", e.title || "Something went wrong"),
		h("p", e.message || String(e)),
		e.errors && e.errors.length
			? h(
					"ul",
					e.errors.map((x) => h("li", h("code", x.pointer || "/"), " ", x.detail)),
				)
			: null,
		e.request_id ? h("p.muted", `request ${e.request_id}`) : null,
	);
}

export function empty(title, ...children) {
	return h("section.empty", h("h2", title), children);
}

export function code_block(text) {
	const button = h(
		"button.quiet.small.copy",
		{
			onclick: async () => {
				await copy(text);
				button.textContent = "copied";
				setTimeout(() => {
					button.textContent = "copy";
				}, 1500);
			},
		},
		"copy",
	);
	return h("div.code", button, h("pre", text));
}

export async function copy(text) {
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		/* No clipboard on plain http to another host: select a temporary field instead. */
		const area = h("textarea.offscreen");
		area.value = text;
		document.body.append(area);
		area.select();
		document.execCommand("copy");
		area.remove();
	}
}

/* Asks before something that cannot be undone. Resolves to true or false. */
export function confirm_dialog({ title, text, action, danger }) {
	return new Promise((resolve) => {
		const done = (value) => () => {
			dialog.close();
			dialog.remove();
			resolve(value);
		};
		const yes = h("button", { class: danger ? "danger" : "primary", onclick: done(true) }, action);
		const dialog = h(
			"dialog",
			{ "aria-labelledby": "dialog-title", oncancel: done(false) },
			h("h2", { id: "dialog-title" }, title),
			[].concat(text).map((t) => h("p", t)),
			h("div.buttons.end", h("button", { onclick: done(false) }, "Keep as it is"), yes),
		);
		document.body.append(dialog);
		dialog.showModal();
		yes.focus();
	});
}

/* Column headings. */
export function col(label, cls) {
	return h("th", { scope: "col", class: cls }, label);
}
export function col_num(label, title) {
	return h("th.num", { scope: "col", title }, label);
}

/* Table with sortable columns: columns [{key, label, num?, cls?, title?, value?(row), cell(row)}]. The order is
 * kept by the caller through on_sort(key), keys like "-miou" descend. */
export function sort_table({ columns, rows, sort, on_sort, caption, row_props }) {
	const descending = sort.startsWith("-");
	const key = sort.replace(/^-/, "");
	const column = columns.find((c) => c.key === key);
	const sorted = [...rows];
	if (column && column.value) sorted.sort((a, b) => compare(column.value(a), column.value(b), descending));
	const head = columns.map((c) => {
		if (!c.value) return h("th", { scope: "col", class: classes_of(c), title: c.title }, c.label);
		const active = c.key === key;
		const arrow = active ? h("span.arrow", { "aria-hidden": "true" }, descending ? "▾" : "▴") : null;
		const next = active ? (descending ? c.key : `-${c.key}`) : c.num ? `-${c.key}` : c.key;
		return h(
			"th",
			{
				scope: "col",
				class: classes_of(c),
				title: c.title,
				"aria-sort": active ? (descending ? "descending" : "ascending") : null,
			},
			h(
				"button.sort",
				{ id: `sort-${c.key}`, onclick: () => on_sort(next) },
				c.num ? [arrow, c.label] : [c.label, arrow],
			),
		);
	});
	return h(
		"div.table-wrap",
		h(
			"table",
			caption ? h("caption.offscreen", caption) : null,
			h("thead", h("tr", head)),
			h(
				"tbody",
				sorted.map((row) =>
					h(
						"tr",
						row_props ? row_props(row) : null,
						columns.map((c) => h("td", { class: classes_of(c) }, c.cell(row))),
					),
				),
			),
		),
	);
}

function classes_of(column) {
	return [column.num ? "num" : "", column.cls || ""].join(" ").trim() || null;
}

/* Missing values come last in both directions. */
function compare(a, b, descending) {
	const none = (x) => x === null || x === undefined;
	if (none(a) || none(b)) return none(a) - none(b);
	const order = typeof a === "string" ? a.localeCompare(String(b), "en", { numeric: true }) : a - b;
	return descending ? -order : order;
}

/* `control` needs an id. */
export function field(label, control, hint) {
	return h(
		"div.field",
		h("label.label", { for: control.id }, label),
		control,
		hint ? h("span.hint", hint) : null,
	);
}

/* options: [value, text] pairs or plain values. */
export function select(props, options, value) {
	const chosen = value === null || value === undefined ? "" : String(value);
	return h(
		"select",
		{ ...props, value: chosen },
		options.map((o) => {
			const [v, text] = Array.isArray(o) ? o : [o, o];
			return h("option", { value: v }, text);
		}),
	);
}

/* A thin arrow for the previous/next buttons. */
export function arrow(direction) {
	return svg(
		"svg",
		{ viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" },
		svg("path", {
			d: direction < 0 ? "M10 3 5 8l5 5" : "M6 3l5 5-5 5",
			fill: "none",
			stroke: "currentColor",
			"stroke-width": 2,
		}),
	);
}
