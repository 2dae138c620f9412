/* audit_classes: the classes of one judged round as a table, and what voting did to them in words. */

import { hard_accuracy } from "./audit_charts.js";
import { fixed, is_number, number, percent, round_name, signed_percent } from "./format.js";
import { h } from "./dom.js";
import { coverage_bar, sort_table, swatch } from "./widgets.js";

const KINDS = ["confident", "voted", "soft"];

/* Share now over share in round 0. */
export function ratio(c) {
	return c.share_first > 0 ? c.share / c.share_first : null;
}

/* What voting did, against the baseline it has to beat. */
export function verdict(round) {
	const accuracy = round.audit.accuracy;
	const labels = hard_accuracy(round.audit);
	if (!accuracy || labels === null || !is_number(accuracy.threshold))
		return "The target has no labels, so nobody knows how many pseudo labels are right; the curves of agreement need none.";
	const d = labels - accuracy.threshold;
	const compared =
		signed_percent(d) === "0.0"
			? "voting makes no difference"
			: d > 0
				? `voting gains ${percent(d)} points`
				: `voting costs ${percent(-d)} points`;
	return (
		`In ${round_name(round.round)}, ${percent(labels)} % of the confident and voted labels are right. ` +
		`Lowering the thresholds to the same coverage, without voting, would give ${percent(accuracy.threshold)} %: ${compared}.`
	);
}

/* Columns of the table of classes; `alarmed` are the classes with an alarm. */
function class_columns(alarmed) {
	const accuracy = (key) => ({
		key,
		label: `${key} right %`,
		num: true,
		title: `share of ${key} labels of this class that are the true class`,
		value: (c) => c[key] && c[key].accuracy,
		cell: (c) =>
			h(
				"span",
				{ title: c[key] ? `${number(c[key].pixels)} pixels` : null },
				percent(c[key] && c[key].accuracy),
			),
	});
	const share = (key, member, label, title) => ({
		key,
		label,
		title,
		num: true,
		value: (c) => c[member],
		cell: (c) => percent(c[member], 2),
	});
	const coverage = (c) =>
		Object.fromEntries([
			...KINDS.map((k) => [k, (c[k] && c[k].coverage) || 0]),
			["ignored", 1 - KINDS.reduce((a, k) => a + ((c[k] && c[k].coverage) || 0), 0)],
		]);
	return [
		{
			key: "class",
			label: "Class",
			cls: "nowrap",
			value: (c) => c.name,
			cell: (c) => [
				swatch(c.color),
				" ",
				c.name,
				alarmed.has(c.id) ? [" ", h("span.chip.alarmed", "alarm")] : null,
			],
		},
		share("now", "share", "Share %", "share of the predicted pixels"),
		share("first", "share_first", "round 0 %", "share of the predicted pixels in round 0"),
		share("before", "share_previous", "before %", "share of the predicted pixels in the round before"),
		{
			key: "ratio",
			label: "× round 0",
			num: true,
			title: "share now over share in round 0",
			value: ratio,
			cell: (c) => fixed(ratio(c), 2),
		},
		{
			key: "entropy",
			label: "Entropy %",
			num: true,
			title: "mean entropy of the pixels predicted as this class, of the most possible",
			value: (c) => c.entropy,
			cell: (c) => percent(c.entropy),
		},
		{
			key: "agreement",
			label: "Same as before %",
			num: true,
			title: "share of the class's pixels that the round before predicted alike",
			value: (c) => c.agreement,
			cell: (c) => percent(c.agreement),
		},
		{
			key: "labelled",
			label: "Labelled",
			cls: "wide-cell",
			value: (c) => KINDS.reduce((a, k) => a + ((c[k] && c[k].coverage) || 0), 0),
			cell: (c) => coverage_bar(coverage(c)),
		},
		...KINDS.map(accuracy),
		{
			key: "threshold",
			label: "threshold right %",
			num: true,
			title: "share that would be right had the class's threshold been lowered to the same coverage, without voting",
			value: (c) => c.threshold_accuracy,
			cell: (c) => percent(c.threshold_accuracy),
		},
	];
}

/* The table of round {round, audit, alarms}; sort and on_sort as for sort_table. */
export function class_table(round, classes, sort, on_sort) {
	const alarmed = new Set((round.alarms || []).map((a) => a.class).filter(is_number));
	return sort_table({
		columns: class_columns(alarmed),
		rows: classes
			.filter((c) => round.audit.classes[c.id])
			.map((c) => ({ ...round.audit.classes[c.id], id: c.id, name: c.name, color: c.color })),
		sort,
		on_sort,
		caption: `classes of round ${round.round}`,
	});
}
