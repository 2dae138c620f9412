/* run_fields: the run configuration as a form: one table of fields by JSON pointer, and reading and
 * writing a configuration object through pointers. */

import { ARCHS } from "./catalog.js";

export function pointer_get(object, pointer) {
	return pointer
		.split("/")
		.slice(1)
		.reduce((o, key) => (o === null || o === undefined ? undefined : o[key]), object);
}

export function pointer_set(object, pointer, value) {
	const keys = pointer.split("/").slice(1);
	const last = keys.pop();
	let o = object;
	for (const key of keys) {
		if (typeof o[key] !== "object" || o[key] === null) o[key] = {};
		o = o[key];
	}
	o[last] = value;
}

/* kind: text, int, number, bool, list (of numbers, comma-separated), or an array of choices. */
export const GROUPS = [
	{
		title: "Model",
		open: true,
		fields: [
			{
				at: "/model/arch",
				label: "Architecture",
				kind: ARCHS,
				hint: "MobileNetV2 is by far the fastest",
			},
			{ at: "/model/init", label: "Initial weights", kind: "weights", hint: "imported under Weights" },
			{
				at: "/model/output_stride",
				label: "Output stride",
				kind: "int",
				hint: "8 is finer, 16 is faster",
			},
			{ at: "/model/aspp_dilations", label: "ASPP dilations", kind: "list" },
		],
	},
	{
		title: "Data and source training",
		open: true,
		fields: [
			{ at: "/data/crop", label: "Crop (height, width)", kind: "list", hint: "pixels, after scaling" },
			{ at: "/data/scale", label: "Scale range", kind: "list" },
			{ at: "/data/batch", label: "Batch", kind: "int" },
			{ at: "/data/mirror", label: "Mirror at random", kind: "bool" },
			{
				at: "/source_training/steps",
				label: "Source steps",
				kind: "int",
				hint: "0: the initial weights are the source model",
			},
			{ at: "/source_training/lr", label: "Learning rate", kind: "number" },
			{ at: "/source_training/head_lr_multiplier", label: "Head rate ×", kind: "number" },
			{ at: "/source_training/gradient_clip", label: "Gradient limit", kind: "number", hint: "0: none" },
			{ at: "/source_training/power", label: "Poly power", kind: "number", hint: "0: constant rate" },
			{
				at: "/source_training/average",
				label: "Weights averaged over",
				kind: "number",
				hint: "last share of the steps; 0: the last step's weights",
			},
			{ at: "/data/color_jitter/chance", label: "Colour jitter, chance", kind: "number" },
			{ at: "/data/color_jitter/strength", label: "Colour jitter, strength", kind: "number" },
			{ at: "/data/blur/chance", label: "Blur, chance", kind: "number" },
			{
				at: "/data/color_transfer/chance",
				label: "Colour transfer, chance",
				kind: "number",
				hint: "a source image takes a target image's colours",
			},
			{
				at: "/data/rare_class_sampling/temperature",
				label: "Rare-class temperature",
				kind: "number",
				hint: "lower: rare classes of the source more often",
			},
		],
	},
	{
		title: "Between source training and the rounds",
		open: false,
		text: "Empty means off.",
		fields: [
			{ at: "/entropy_training/steps", label: "Entropy steps", kind: "int" },
			{ at: "/entropy_training/kind", label: "Entropy kind", kind: ["minent", "advent"] },
			{ at: "/entropy_training/weight", label: "Entropy weight", kind: "number" },
			{
				at: "/self_training/norm_alignment/strength",
				label: "Norm alignment",
				kind: "number",
				hint: "0 keeps the source's batch norms, 1 takes the target's statistics",
			},
			{ at: "/self_training/norm_alignment/check", label: "Take a doubtful alignment back", kind: "bool" },
			{
				at: "/self_training/norm_alignment/required",
				label: "Teach only where it is kept",
				kind: "bool",
			},
		],
	},
	{
		title: "Self-training",
		open: true,
		fields: [
			{
				at: "/self_training/phase1_rounds",
				label: "Phase 1 rounds",
				kind: "int",
				hint: "voting fills gaps in the pseudo labels",
			},
			{
				at: "/self_training/phase2_rounds",
				label: "Phase 2 rounds",
				kind: "int",
				hint: "easy images fully labelled, hard ones aligned",
			},
			{ at: "/self_training/steps_per_round", label: "Steps per round", kind: "int" },
			{ at: "/self_training/lr", label: "Learning rate", kind: "number" },
			{
				at: "/self_training/portion/initial",
				label: "Portion, first round",
				kind: "number",
				hint: "share of the most confident pixels of each class that is labelled",
			},
			{ at: "/self_training/portion/step", label: "Portion, growth", kind: "number" },
			{ at: "/self_training/portion/max", label: "Portion, at most", kind: "number" },
			{
				at: "/self_training/easy_portion",
				label: "Easy share",
				kind: "number",
				hint: "the most confident images count as easy",
			},
		],
	},
	{
		title: "Method details",
		open: false,
		text: "Empty means that this part of the method is off in the preset; null in the JSON turns a part off.",
		fields: [
			{
				at: "/self_training/regularizer/kind",
				label: "Regulariser",
				kind: ["none", "mrkld", "lrent", "mrent", "mrl2"],
			},
			{
				at: "/self_training/regularizer/weight",
				label: "Regulariser weight",
				kind: "number",
				hint: "for lrent: alpha",
			},
			{
				at: "/self_training/bootstrap/beta",
				label: "Bootstrap β",
				kind: "number",
				hint: "share of the label against the network's own belief",
			},
			{
				at: "/self_training/gamma",
				label: "γ of soft labels",
				kind: "number",
				hint: "larger: unsure pixels count less",
			},
			{
				at: "/self_training/teacher/momentum",
				label: "Teacher momentum",
				kind: "number",
				hint: "a running mean of the weights labels the target",
			},
			{
				at: "/self_training/online_labels/threshold",
				label: "Sure above",
				kind: "number",
				hint: "the teacher labels online; a crop counts by its share of pixels that it is so sure of",
			},
			{
				at: "/self_training/class_mix/chance",
				label: "ClassMix chance",
				kind: "number",
				hint: "source classes pasted over target samples",
			},
			{ at: "/self_training/balanced_batch", label: "Half of a batch is target", kind: "bool" },
			{ at: "/self_training/gradient_clip", label: "Gradient limit", kind: "number", hint: "0: none" },
			{ at: "/self_training/warmup_steps", label: "Warm-up steps", kind: "int", hint: "of every round" },
			{ at: "/self_training/split", label: "Images ranked by", kind: ["confidence", "entropy"] },
			{ at: "/self_training/voting/window", label: "Voting window", kind: "int", hint: "odd, pixels" },
			{
				at: "/self_training/voting/iterations",
				label: "Voting sweeps",
				kind: "int",
				hint: "0: no voting",
			},
			{ at: "/self_training/voting/alpha", label: "Voting α", kind: "number" },
			{ at: "/self_training/voting/alpha_on", label: "α weighs", kind: ["original", "pooled"] },
			{ at: "/self_training/voting/pool", label: "Pooling", kind: ["mean", "sum", "max", "box"] },
			{
				at: "/self_training/voting/color_distance",
				label: "Voting colour distance",
				kind: "int",
				hint: "only neighbours of about the same colour vote; 0: all",
			},
			{ at: "/self_training/adversarial/weight", label: "Adversarial weight", kind: "number" },
			{ at: "/self_training/adversarial/lr", label: "Discriminator rate", kind: "number" },
			{
				at: "/self_training/source_portion",
				label: "Source share",
				kind: "list",
				hint: "first, growth, at most",
			},
			{
				at: "/self_training/source_per_target",
				label: "Source images per target image",
				kind: "number",
				hint: "at least; 0: the share alone",
			},
			{ at: "/self_training/rare_class_mining/chance", label: "Rare crop chance", kind: "number" },
			{ at: "/self_training/rare_class_mining/portion", label: "Rare below share", kind: "number" },
			{ at: "/self_training/flip_average", label: "Score the mirrored image too", kind: "bool" },
			{ at: "/evaluation/every_rounds", label: "Evaluate every … rounds", kind: "int" },
			{ at: "/evaluation/scales", label: "Evaluation scales", kind: "list" },
			{ at: "/evaluation/flip", label: "Evaluate mirrored too", kind: "bool" },
		],
	},
];

/* Text of a control -> value; what is no number stays text, so that the server names the field. */
export function parse_value(kind, text) {
	const number = (t) => (t.trim() !== "" && Number.isFinite(Number(t)) ? Number(t) : t);
	if (kind === "int" || kind === "number") return number(text);
	if (kind === "list")
		return text
			.split(/[,\s]+/)
			.filter(Boolean)
			.map(number);
	if (kind === "weights") return text === "" ? null : text;
	return text;
}

export function show_value(kind, value) {
	if (value === undefined || value === null) return "";
	return kind === "list" && Array.isArray(value) ? value.join(", ") : String(value);
}

/* What the daemon's JSON Schema says about a key. */
export function describe(schema, pointer) {
	const at = pointer
		.split("/")
		.slice(1)
		.reduce((s, key) => s && s.properties && s.properties[key], schema);
	if (!at || !at.description) return null;
	const low = at.minimum ?? (at.items && at.items.minimum),
		high = at.maximum ?? (at.items && at.items.maximum);
	return at.description + (low !== undefined && high !== undefined ? ` (${low} to ${high})` : "");
}

/* The field that an error's pointer belongs to: itself or the nearest one above. */
export function owner_of(pointer, known) {
	for (let p = pointer; p; p = p.slice(0, p.lastIndexOf("/"))) if (known.has(p)) return p;
	return null;
}
