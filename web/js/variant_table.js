/* variant_table: the variants of an experiment against its baseline, and what the numbers mean. */

import { h } from "./dom.js";
import { evidence, in_words, mean_of, others, role_of } from "./experiment.js";
import { is_number, number, p_value, percent, signed_percent, with_deviation } from "./format.js";
import { sort_table } from "./widgets.js";

function tone(v) {
	const d = v.difference && v.difference.mean;
	return d > 0 ? "good-text" : d < 0 ? "bad-text" : null;
}

function columns_of(x) {
	const d = (v) => v.difference || {};
	return [
		{
			key: "variant",
			label: "Variant",
			value: (v) => v.name,
			cell: (v) => [
				h("strong", v.name),
				role_of(x, v) ? [" ", h("span.chip", role_of(x, v))] : null,
				v.preset === v.name ? null : h("span.muted.preset-note", ` ${v.preset}`),
			],
		},
		{
			key: "done",
			label: "Seeds done",
			num: true,
			value: (v) => v.count,
			cell: (v) => `${number(v.count)} of ${number(v.cells.length)}`,
		},
		{
			key: "miou",
			label: "mIoU %",
			num: true,
			cls: "nowrap",
			title: "mean ± standard deviation over the finished seeds",
			value: mean_of,
			cell: (v) => with_deviation(v.miou),
		},
		{
			key: "range",
			label: "Lowest – highest",
			num: true,
			cls: "nowrap roomy",
			cell: (v) => (v.miou ? `${percent(v.miou.min)} – ${percent(v.miou.max)}` : "–"),
		},
		{
			key: "difference",
			label: "Difference",
			num: true,
			cls: "nowrap",
			title: `points against ${x.baseline} with the same seed, mean ± standard deviation over the seeds`,
			value: (v) => d(v).mean,
			cell: (v) =>
				h(
					"strong",
					{ class: tone(v) },
					with_deviation(v.difference, (y) => signed_percent(y)),
				),
		},
		{
			key: "p",
			label: "p",
			num: true,
			cls: "nowrap",
			title: "two-sided paired t-test over the seeds",
			value: (v) => d(v).p,
			cell: (v) =>
				h(
					"span",
					{
						title: is_number(d(v).t)
							? `t = ${d(v).t.toFixed(2)} with ${d(v).count - 1} degrees of freedom`
							: null,
					},
					p_value(d(v).p),
				),
		},
		x.upper_bound
			? {
					key: "gap",
					label: "Gap closed %",
					num: true,
					title: `share of the way from ${x.baseline} to ${x.upper_bound}`,
					value: (v) => v.gap_closed,
					cell: (v) => percent(v.gap_closed, 0).replace("-", "−"),
				}
			: null,
	].filter(Boolean);
}

function meaning(x) {
	return h(
		"details.sub",
		h("summary", "What these numbers are"),
		h(
			"dl.facts.wordy",
			h("dt", "mIoU"),
			h(
				"dd",
				"Mean over the classes of the intersection over union, in %, of a run's last evaluation; not of its best, which would be chosen by the labels it is judged on.",
			),
			h("dt", "±"),
			h(
				"dd",
				"Sample standard deviation over the seeds: how far a repeat with another seed lies from the mean as a rule. It is not the error of the mean.",
			),
			h("dt", "Difference"),
			h(
				"dd",
				`A run minus the run of ${x.baseline} with the same seed, then the mean over the seeds that both have finished, in points. Pairs of one seed share the source model, so that part of the luck cancels.`,
			),
			h("dt", "p"),
			h(
				"dd",
				"Two-sided paired t-test over the seeds: how often a mean difference this far from zero would come out if the variant made none. It needs two seeds, and normally distributed differences; it speaks of these data and settings only.",
			),
			x.upper_bound
				? [
						h("dt", "Gap closed"),
						h(
							"dd",
							`How much of what ${x.upper_bound} gains over ${x.baseline} the variant gains, over the seeds that all three have finished.`,
						),
					]
				: null,
		),
	);
}

export function variant_table(x, sort, on_sort) {
	return h(
		"section.card",
		h("h2", "Variants"),
		h("p.note", evidence(x)),
		sort_table({
			columns: columns_of(x),
			rows: x.variants,
			sort,
			on_sort,
			caption: "variants against the baseline",
		}),
		h(
			"ul.in-words",
			others(x).map((v) => h("li", in_words(x, v))),
		),
		meaning(x),
	);
}
