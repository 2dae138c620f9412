/* dot_plot: one row a variant of an experiment: a dot for every seed, a bar at their mean, a band of one
 * deviation around it, and lines through all rows for the baseline and the upper bound. Built of boxes placed
 * in per cent, so that it stretches with the page and every dot is a link. */

import { h } from "./dom.js";
import { DONE, find_variant, mean_of, role_of } from "./experiment.js";
import { is_number, percent, signed_percent, with_deviation } from "./format.js";
import { href } from "./router.js";

const TICKS = 6,
	MARGIN = 0.06,
	APART = 6; /* pixels between the heights of neighbouring seeds, so that equal values stay two dots */

/* Round steps of 1, 2 or 5 that cut low..high into at most TICKS parts. */
export function ticks(low, high) {
	const raw = (high - low) / TICKS;
	const power = 10 ** Math.floor(Math.log10(raw));
	const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw * (1 - 1e-9));
	const first = Math.ceil(low / step - 1e-9);
	const list = [];
	for (let i = first; i * step <= high + step * 1e-9; i++) list.push(Number((i * step).toPrecision(12)));
	return list;
}

/* Place of a value on the axis, in per cent of its width. */
function scale_of(values) {
	let low = Math.min(...values),
		high = Math.max(...values);
	const pad = Math.max((high - low) * MARGIN, 0.005);
	low = Math.max(0, low - pad);
	high = Math.min(1, high + pad);
	return { low, high, at: (v) => (100 * (v - low)) / (high - low) };
}

function dot(x, variant, cell, index, scale, baseline) {
	const place = scale.at(cell.miou);
	const base = baseline && baseline.cells.find((c) => c.seed === cell.seed);
	const against =
		base && variant !== baseline && is_number(base.miou)
			? `, ${signed_percent(cell.miou - base.miou)} against ${baseline.name}`
			: "";
	const done = cell.state === DONE;
	const deleted = cell.run === null;
	const run = deleted ? "its run was deleted" : `run ${cell.run}`;
	const text = `${variant.name}, seed ${cell.seed}: ${percent(cell.miou)} %${against}${done ? "" : `, ${cell.state}`}; ${run}`;
	const height = (index - (x.seeds.length - 1) / 2) * Math.min(APART, 26 / x.seeds.length);
	return h(
		"a.dot-mark",
		{
			href: deleted ? null : href(`/runs/${cell.run}`),
			role: deleted ? "img" : null, /* no link any more, but named and reached by keyboard all the same */
			tabindex: deleted ? "0" : null,
			id: `dot-${x.variants.indexOf(variant)}-${cell.seed}`,
			class: [done ? "" : "open", place > 60 ? "left" : ""].join(" "),
			style: { left: `${place}%`, top: `calc(50% + ${height}px)` },
			"aria-label": text,
		},
		h("span.tip", { "aria-hidden": "true" }, text),
	);
}

/* [mean - deviation, mean + deviation], empty without a mean. */
function band(variant) {
	const mean = mean_of(variant);
	if (mean === null) return [];
	const deviation = variant.miou.deviation || 0;
	return [mean - deviation, mean + deviation];
}

function spread(variant, scale) {
	const [from, to] = band(variant).map((v) => Math.min(100, Math.max(0, scale.at(v))));
	return [
		h("span.dot-spread", { style: { left: `${from}%`, width: `${to - from}%` } }),
		h("span.dot-mean", { style: { left: `${scale.at(mean_of(variant))}%` } }),
	];
}

function rule(cls, value, scale) {
	return value === null ? null : h("span", { class: cls, style: { left: `${scale.at(value)}%` } });
}

export function dot_plot(x) {
	const baseline = find_variant(x, x.baseline),
		upper = find_variant(x, x.upper_bound);
	const marks = [mean_of(baseline), mean_of(upper)];
	const values = x.variants
		.flatMap((v) => [...v.cells.map((c) => c.miou), ...band(v)])
		.filter((v) => is_number(v));
	if (!values.length) return h("p.muted", "Dots appear with the first evaluations.");
	const scale = scale_of(values);
	const grid = ticks(100 * scale.low, 100 * scale.high);
	const row = (v) =>
		h(
			"li.dot-row",
			h("span.dot-name", v.name, role_of(x, v) ? h("span.muted", ` ${role_of(x, v)}`) : null),
			h(
				"div.dot-track",
				grid.map((t) => rule("dot-grid", t / 100, scale)),
				rule("dot-base", marks[0], scale),
				rule("dot-upper", marks[1], scale),
				mean_of(v) === null ? null : spread(v, scale),
				v.cells.map((c, i) => (is_number(c.miou) ? dot(x, v, c, i, scale, baseline) : null)),
			),
			h("span.dot-value.num", with_deviation(v.miou)),
		);
	const key = (cls, text) => h("li", h("span", { class: `dot-key ${cls}`, "aria-hidden": "true" }), text);
	const some_open = x.variants.some((v) => v.cells.some((c) => is_number(c.miou) && c.state !== DONE));
	return h(
		"figure.dot-plot",
		h("ul", x.variants.map(row)),
		h(
			"div.dot-row.dot-axis",
			{ "aria-hidden": "true" },
			h("span"),
			h(
				"div.dot-track",
				grid.map((t) => h("span.dot-tick", { style: { left: `${scale.at(t / 100)}%` } }, `${t} %`)),
			),
			h("span.dot-value.num.muted", "mIoU %"),
		),
		h(
			"figcaption",
			h(
				"ul.legend-row",
				key("dot-seed", "one seed, opens its run"),
				some_open ? key("dot-seed open", "not finished") : null,
				key("dot-mean", "mean of the finished seeds"),
				x.seeds.length > 1 ? key("dot-spread", "± one standard deviation") : null,
				marks[0] === null ? null : key("dot-base", `baseline ${x.baseline}, ${percent(marks[0])} %`),
				marks[1] === null
					? null
					: key("dot-upper", `upper bound ${x.upper_bound}, ${percent(marks[1])} %`),
			),
		),
	);
}
