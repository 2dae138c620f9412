/* audit_charts: the judged pseudo labels of a run over its rounds: how often they are right, how much the network
 * agrees with itself, and the same as a table. A round is {round, audit}. */

import { chart, css } from "./charts.js";
import { h } from "./dom.js";
import { fixed, is_number, number, percent } from "./format.js";
import { col, col_num } from "./widgets.js";

/* Right among confident and voted labels together. Soft labels cover what the threshold leaves out, so `all`
 * may be compared with lowering the threshold only where there are none. */
export function hard_accuracy(audit) {
	let pixels = 0,
		right = 0;
	for (const c of audit.classes)
		for (const kind of ["confident", "voted"])
			if (c[kind] && is_number(c[kind].accuracy)) {
				pixels += c[kind].pixels;
				right += c[kind].pixels * c[kind].accuracy;
			}
	return pixels > 0 ? right / pixels : null;
}

function points_of(rounds, value) {
	return rounds
		.map((r) => [r.round, value(r.audit)])
		.filter(([, v]) => is_number(v))
		.map(([x, v]) => [x, 100 * v]);
}

/* What every chart over the rounds has. */
export function frame(rounds, ctx, label) {
	const last = rounds[rounds.length - 1].round;
	return {
		label,
		signal: ctx.signal,
		points: true,
		x_label: "round",
		x_range: () => [-0.15, Math.max(1, last) + 0.15],
		x_splits: () => Array.from({ length: last + 1 }, (_, i) => i),
		x_values: (_, list) => list.map(String),
		y_values: (_, list) => list.map((t) => `${number(t)} %`),
		value: (v) => `${fixed(v, 1)} %`,
	};
}

export function accuracy_chart(rounds, ctx) {
	const of = (key) => points_of(rounds, (a) => a.accuracy && a.accuracy[key]);
	const line = (label, color, points, more) => ({ label, points, color: () => css(color), ...more });
	const series = [
		line("confident", "--o-confident", of("confident")),
		line("voted", "--o-voted", of("voted")),
		line("soft", "--o-soft", of("soft")),
		line("confident + voted", "--text", points_of(rounds, hard_accuracy), { width: 2.5 }),
		line("threshold lowered to the same coverage", "--hard", of("threshold"), {
			width: 2.5,
			dash: [8, 4],
		}),
	].filter((s) => s.points.length);
	return series.length
		? chart({
				...frame(
					rounds,
					ctx,
					"share of right pseudo labels over the rounds; the numbers are in the table",
				),
				series,
				height: 260,
			})
		: null;
}

export function agreement_chart(rounds, ctx) {
	const line = (label, color, key, dash) => ({
		label,
		dash,
		points: points_of(rounds, (a) => a[key]),
		color: () => css(color),
	});
	return chart({
		...frame(rounds, ctx, "agreement and entropy over the rounds; the numbers are in the table"),
		series: [
			line("same class as in the round before", "--c1", "agreement"),
			line("same label as in the round before", "--c3", "label_agreement"),
			line("same class in the mirrored image", "--c4", "flip_agreement"),
			line("entropy, of the most possible", "--c2", "entropy", [8, 4]),
		].filter((s) => s.points.length),
		height: 260,
		y_range: () => [0, 100],
	});
}

export function rounds_table(rounds) {
	const accuracy = (r, key) => percent(r.audit.accuracy && r.audit.accuracy[key]);
	const rows = [
		["confident right %", (r) => accuracy(r, "confident")],
		["voted right %", (r) => accuracy(r, "voted")],
		["soft right %", (r) => accuracy(r, "soft")],
		["all labels right %", (r) => accuracy(r, "all")],
		["confident and voted right %", (r) => percent(hard_accuracy(r.audit))],
		["threshold, same coverage, right %", (r) => accuracy(r, "threshold")],
		["same class as the round before %", (r) => percent(r.audit.agreement)],
		["same label as the round before %", (r) => percent(r.audit.label_agreement)],
		["same class mirrored %", (r) => percent(r.audit.flip_agreement)],
		["entropy %", (r) => percent(r.audit.entropy)],
		["pixels with a true label", (r) => number(r.audit.truth_pixels)],
	];
	return h(
		"details.sub",
		h("summary", "The same as a table"),
		h(
			"div.table-wrap",
			h(
				"table",
				h(
					"thead",
					h(
						"tr",
						col("Round"),
						rounds.map((r) => col_num(r.round)),
					),
				),
				h(
					"tbody",
					rows.map(([name, value]) =>
						h(
							"tr",
							h("th", { scope: "row" }, name),
							rounds.map((r) => h("td.num", value(r))),
						),
					),
				),
			),
		),
	);
}
