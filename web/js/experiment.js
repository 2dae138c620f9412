/* experiment: reading the answer to GET /experiments/{id}: variants by name, what a cell's run says, and
 * the words for how much a difference is worth. */

import { count, is_number, p_value, percent, signed_percent, with_deviation } from "./format.js";

export const DONE = "completed";

/* The daemon ends an experiment in one of these. */
export function is_final(x) {
	return x.state === "completed" || x.state === "failed" || x.state === "cancelled";
}

export function find_variant(x, name) {
	return (name && x.variants.find((v) => v.name === name)) || null;
}

export function mean_of(variant) {
	return variant && variant.miou && is_number(variant.miou.mean) ? variant.miou.mean : null;
}

/* What a variant is besides its name: "baseline", "upper bound" or "". */
export function role_of(x, variant) {
	return variant.name === x.baseline
		? "baseline"
		: x.upper_bound && variant.name === x.upper_bound
			? "upper bound"
			: "";
}

/* The variants that are compared with the baseline. */
export function others(x) {
	return x.variants.filter((v) => v.name !== x.baseline);
}

/* Seeds in which a variant was better than the baseline, of those that both have finished:
 * {better, of}. */
export function wins(x, variant) {
	const base = find_variant(x, x.baseline);
	const pairs = variant.cells
		.map((c) => [c, base && base.cells.find((b) => b.seed === c.seed)])
		.filter(([c, b]) => b && [c, b].every((y) => y.state === DONE && is_number(y.miou)));
	return { better: pairs.filter(([c, b]) => c.miou > b.miou).length, of: pairs.length };
}

/* "tpld: 50.2 ± 0.6 %, 4.1 points above source-only, better in 3 of 3 seeds, p = 0.004." */
export function in_words(x, variant) {
	const d = variant.difference;
	if (mean_of(variant) === null) return `${variant.name}: no seed has finished yet.`;
	const start = `${variant.name}: ${with_deviation(variant.miou)} % over ${count(variant.count, "seed")}`;
	if (!d || !is_number(d.mean)) return `${start}; nothing to compare with yet.`;
	const { better, of } = wins(x, variant);
	const size = percent(Math.abs(d.mean));
	const where =
		signed_percent(d.mean) === "0.0"
			? `as good as ${x.baseline}`
			: `${size} points ${d.mean > 0 ? "above" : "below"} ${x.baseline}`;
	const test = is_number(d.p)
		? `, p\u00a0${d.p < 0.001 ? "" : "=\u00a0"}${p_value(d.p).replace(" ", "\u00a0")}`
		: ", too few seeds to test";
	return `${start}, ${where}, better in ${better} of ${count(of, "seed")}${test}.`;
}

/* How much the number of seeds allows to say. */
export function evidence(x) {
	const n = x.seeds.length,
		compared = others(x).length;
	const several =
		compared > 1
			? ` ${compared} variants are tested against the same baseline: the more there are, the more likely one of them has a small p by luck.`
			: "";
	if (n < 2)
		return "One seed is no evidence: training again with another seed may turn the order round. Without a second seed there is neither a deviation nor a test.";
	if (n < 5)
		return `${n} seeds are weak evidence: the deviation itself is only roughly known, and a real difference may well miss p < 0.05 while a lucky one passes it.${several}`;
	return `${n} seeds.${several}`;
}
