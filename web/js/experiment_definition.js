/* experiment_definition: an experiment's definition as the form edits it. Every function returns a new definition
 * and leaves the old one alone. */

import { pointer_get } from "./run_fields.js";

const BASELINE = "source-only";
export const ORACLE = "oracle";

const REQUIRED = [
	["/name", "a name"],
	["/config/source", "a source"],
	["/config/target", "a target"],
	["/config/eval", "a data set to measure on"],
];

export function fresh() {
	return {
		name: "",
		seeds: [1, 2, 3],
		config: { source: "", target: "", eval: "" },
		variants: [BASELINE, "tpld"].map((preset) => ({ name: preset, preset })),
		baseline: BASELINE,
		upper_bound: null,
	};
}

function is_object(x) {
	return x !== null && typeof x === "object" && !Array.isArray(x);
}

/* JSON of another shape may stand in the text for a while; the fields then show what they can. */
function list_of(value) {
	return Array.isArray(value) ? value : [];
}
export function variants_of(d) {
	return list_of(d.variants);
}
export function seeds_of(d) {
	return list_of(d.seeds);
}

/* Reads a typed definition; throws with what is wrong where the form could not show it at all. */
export function parse(text) {
	const d = JSON.parse(text);
	if (!is_object(d)) throw new Error("the definition is an object: { … }");
	if (!list_of(d.variants).every(is_object))
		throw new Error("variants is a list of objects with a name and a preset");
	return d;
}

/* What has to be there before the daemon is worth asking. */
export function missing(d) {
	return REQUIRED.filter(([at]) => !pointer_get(d, at))
		.map(([, name]) => name)
		.concat(variants_of(d).length ? [] : ["a variant"])
		.concat(seeds_of(d).length ? [] : ["a seed"]);
}

/* The baseline and the upper bound must be variants: a removed one is replaced by the first, or none. */
export function with_variants(d, variants) {
	const known = variants.map((v) => v.name);
	return {
		...d,
		variants,
		baseline: known.includes(d.baseline) ? d.baseline : (known[0] ?? ""),
		upper_bound: known.includes(d.upper_bound) ? d.upper_bound : null,
	};
}

/* The box of a preset stands for the variant that is the preset and nothing else. */
function is_plain(variant, preset) {
	return variant.name === preset && variant.preset === preset && variant.config === undefined;
}
export function has_preset(d, preset) {
	return variants_of(d).some((v) => is_plain(v, preset));
}

/* Adds or takes away a preset's variant; `order` names all presets. What was added by hand stays behind them. */
export function with_preset(d, preset, on, order) {
	const rest = variants_of(d).filter((v) => !is_plain(v, preset));
	if (!on) return with_variants(d, rest);
	const place = (v) => (is_plain(v, v.preset) ? order.indexOf(v.preset) : order.length);
	const added = { name: preset, preset };
	const before = rest.filter((v) => place(v) <= place(added));
	return with_variants(d, [...before, added, ...rest.filter((v) => !before.includes(v))]);
}

/* The oracle is trained on the target's own labels: how far adaptation could go. */
export function find_oracle(d) {
	return variants_of(d).find((v) => v.name === ORACLE) || null;
}
export function with_oracle(d, on) {
	const rest = variants_of(d).filter((v) => v.name !== ORACLE);
	if (!on) return with_variants(d, rest);
	const config = { source: pointer_get(d, "/config/target") };
	return with_variants({ ...d, upper_bound: ORACLE }, [
		...rest,
		{ name: ORACLE, preset: "source-only", config },
	]);
}
