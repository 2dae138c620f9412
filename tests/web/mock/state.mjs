/* state: the runs, data sets and results of the pretended daemon. A run's position follows the clock. */
import { alarms, audit } from "./audit.mjs";
import { CLASSES, random } from "./scene.mjs";

export const IMAGES = 150,
	EASY_SHARE = 0.3;
const STEPS = 40;

const SELF = {
	phase1_rounds: 3,
	phase2_rounds: 2,
	steps_per_round: STEPS,
	lr: 5e-5,
	power: 0,
	source_portion: [0.03, 0.0025, 0.06],
	source_per_target: 0,
	portion: { initial: 0.2, step: 0.05, max: 0.5 },
	regularizer: { kind: "mrkld", weight: 0.01 },
	bootstrap: { beta: 0.95 },
	voting: { window: 5, iterations: 3, alpha: 0.7, alpha_on: "original", pool: "mean" },
	easy_portion: EASY_SHARE,
	gamma: 2,
	adversarial: { weight: 0.001, lr: 1e-4 },
	rare_class_mining: { chance: 0.8, portion: 0.001 },
	flip_average: true,
};
const CONFIG = {
	seed: 1,
	threads: 0,
	model: { arch: "deeplabv2-mobilenetv2", output_stride: 8, aspp_dilations: [6, 12, 18, 24], init: null },
	data: { crop: [512, 1024], scale: [0.5, 1.5], mirror: true, batch: 2 },
	source_training: {
		steps: 60,
		lr: 2.5e-4,
		head_lr_multiplier: 10,
		power: 0.9,
		momentum: 0.9,
		weight_decay: 5e-4,
	},
	self_training: SELF,
	evaluation: { every_rounds: 1, flip: false, scales: [1] },
};

export const PRESETS = [
	["source-only", "source training and evaluation only: what everything else is compared with", 0, 0],
	["cbst", "class-balanced self-training: the most confident pixels of every class", 5, 0],
	["crst-mrkld", "CBST with a confidence regulariser", 5, 0],
	["crst-lrent", "CBST with soft labels", 5, 0],
	["tpld-phase1", "TPLD's voting and bootstrapped loss", 5, 0],
	["tpld", "both phases: voting, then easy images in full and hard ones aligned", 3, 2],
].map(([name, text, phase1_rounds, phase2_rounds]) => ({
	name,
	text,
	config: { preset: name, ...CONFIG, self_training: { ...SELF, phase1_rounds, phase2_rounds } },
}));

export const datasets = [
	["carla-day", "folder", "/srv/data/carla", 400, 400],
	["camvid-dusk", "camvid", "/srv/data/camvid", IMAGES, 40],
].map(([name, layout, root, images, labelled], i) => ({
	id: i + 1,
	name,
	layout,
	root,
	split: "train",
	include: null,
	images,
	labelled,
	classes: CLASSES,
	class_set: "camvid-11",
}));
export const weights = [
	{
		id: 1,
		name: "mobilenetv2-imagenet",
		arch: "deeplabv2-mobilenetv2",
		sha256: "5be1c2a4".repeat(8),
		tensors: 262,
		bytes: 9073848,
		whole: false,
	},
];

export function stages(config) {
	const s = config.self_training,
		rounds = s.phase1_rounds + s.phase2_rounds;
	const list = [
		["source_training", null, config.source_training.steps],
		["evaluation", null, 40],
	];
	for (let r = 0; r < rounds; r++)
		list.push(
			["scoring", r, IMAGES],
			[r < s.phase1_rounds ? "phase1_training" : "phase2_training", r, s.steps_per_round],
			["evaluation", r, 40],
		);
	return list.map(([phase, round, total]) => ({ phase, round, total }));
}

export const asked = new Set(); /* rounds whose features were refused once */
export const runs = [];
export const events = []; /* {id, type, run, data} */
let on_event = () => {};
export function watch_events(f) {
	on_event = f;
}
function emit(run, type) {
	const event = { id: events.length + 1, type, run: run.id, data: { run: run.id, state: run.state } };
	events.push(event);
	on_event(event);
}

export function emit_experiment(id, to) {
	const event = { id: events.length + 1, type: "experiment.state", data: { experiment: id, state: to } };
	events.push(event);
	on_event(event);
}

export function set_state(run, to, reason) {
	run.history.push({ time: new Date().toISOString(), from: run.state, to, reason });
	run.state = to;
	emit(run, "run.state");
}

export function add_run(config, state, done) {
	const run = {
		id: runs.length + 1,
		config,
		state: "queued",
		units: 0,
		error: null,
		history: [],
		created: new Date().toISOString(),
	};
	run.total = stages(config).reduce((a, s) => a + s.total, 0);
	runs.push(run);
	run.history.push({ time: run.created, from: "queued", to: "queued", reason: "created" });
	run.units = Math.floor(run.total * (done || 0));
	if (state) set_state(run, state, state);
	return run;
}

export function position(run) {
	let left = run.units;
	const list = stages(run.config);
	for (const [index, s] of list.entries()) {
		if (left < s.total) return { ...s, index, step: left };
		left -= s.total;
	}
	return { ...list[list.length - 1], index: list.length, step: list[list.length - 1].total };
}

/* Moves the running run; `units` of work a call. */
export function tick(units) {
	const run =
		runs.find((r) => ["running", "starting", "pausing", "cancelling"].includes(r.state)) ||
		runs.find((r) => r.state === "queued");
	if (!run) return;
	const next = { queued: "starting", starting: "running", pausing: "paused", cancelling: "cancelled" }[
		run.state
	];
	if (next) return set_state(run, next, next);
	const before = position(run).index;
	run.units = Math.min(run.total, run.units + units);
	emit(run, position(run).index !== before ? "round.finished" : "run.progress");
	if (run.units >= run.total) set_state(run, "completed", "all stages done");
}

export function hardness(image, round) {
	const h = random(image * 7 + 3)();
	return Math.max(0, Math.min(1, h - 0.05 * round + 0.12 * (random(image + 99 * round)() - 0.5)));
}

export function round_images(round) {
	const list = Array.from({ length: IMAGES }, (_, id) => {
		const h = hardness(id, round);
		const class_confidence = CLASSES.map((c) =>
			random(id * 11 + c.id)() < 0.15
				? null
				: Math.max(0, Math.min(1, 1 - h * (0.5 + 0.9 * random(id + c.id * 5 + round)()))),
		);
		const confident = 0.75 - 0.6 * h,
			voted = 0.12;
		return {
			id,
			name: `dusk_${String(id).padStart(6, "0")}`,
			round,
			confidence: 1.35 - h,
			entropy: 0.1 + 0.4 * h,
			class_confidence,
			coverage: { confident, voted, soft: 0, ignored: 1 - confident - voted },
		};
	}).sort((a, b) => b.confidence - a.confidence);
	list.forEach((item, rank) => {
		item.rank = rank;
		item.split = rank < IMAGES * EASY_SHARE ? "easy" : "hard";
		if (round >= 3 && item.split === "easy")
			item.coverage = { ...item.coverage, soft: item.coverage.ignored, ignored: 0 };
	});
	return list;
}

export function rounds_done(run) {
	const now = position(run);
	return stages(run.config)
		.slice(0, now.index)
		.filter((s) => s.phase === "scoring")
		.map(({ round: r }) => ({
			round: r,
			phase: r < run.config.self_training.phase1_rounds ? "phase1_training" : "phase2_training",
			portion: Math.min(0.5, 0.2 + 0.05 * r),
			thresholds: CLASSES.map((c) => Math.max(0.3, 0.99 - 0.05 * r - 0.45 * random(c.id + 40)())),
			easy: IMAGES * EASY_SHARE,
			hard: IMAGES * (1 - EASY_SHARE),
			coverage: {
				confident: 0.2 + 0.05 * r,
				voted: 0.09,
				soft: r >= 3 ? 0.12 : 0,
				ignored: 0.71 - 0.05 * r - (r >= 3 ? 0.12 : 0),
			},
			pseudo_accuracy: 0.96 - 0.01 * r,
			/* A daemon before there were audits. */
			...(run.unjudged
				? {}
				: {
						audit: audit(
							r,
							run.config.eval !== null,
							r >= run.config.self_training.phase1_rounds,
						),
						alarms: alarms(r),
					}),
		}));
}

/* The classes of a run's target. */
function classes_of(run) {
	return datasets.find((d) => d.name === run.config.target).classes;
}

/* The invented CamVid has no fences. */
function in_labels(classes, c) {
	return classes !== CLASSES || c.name !== "fence";
}

export function iou(run) {
	const now = position(run),
		classes = classes_of(run);
	const points = stages(run.config)
		.slice(0, now.index)
		.filter((s) => s.phase === "evaluation")
		.map(({ round }) => {
			const r = round === null ? -1 : round;
			const values = classes.map((c) =>
				in_labels(classes, c)
					? Math.max(
							0.01,
							0.2 + 0.65 * random(c.id)() + (r + 1) * 0.05 * (random(c.id + 60)() - 0.3),
						)
					: null,
			);
			const known = values.filter((v) => v !== null);
			return {
				step: 60 + (r + 1) * STEPS,
				round,
				phase: "evaluation",
				miou: known.reduce((a, b) => a + b) / known.length,
				iou: values,
			};
		});
	return { classes: classes.map((c) => c.name), points };
}

export function confusion(run) {
	const r = random(9),
		classes = classes_of(run);
	return {
		classes: classes.map((c) => c.name),
		matrix: classes.map((t) =>
			classes.map((p) =>
				in_labels(classes, t)
					? Math.round(t.id === p.id ? 40000 + 60000 * r() : r() < 0.4 ? 9000 * r() : 300 * r())
					: 0,
			),
		),
	};
}

const LAYERS = [
	["features.0.0", "gemm/taps/gemm"],
	["maxpool", ""],
	...Array.from({ length: 24 }, (_, i) => [
		`features.${1 + (i >> 1)}.conv.${i & 1}`,
		i & 1 ? "depthwise" : "winograd4",
	]),
	["classifier.conv2d_list", "aspp"],
];

/* Of the newest training, or of a round ("source", "0", ...): then null when it has not begun. */
export function profile(run, round) {
	const now = position(run);
	const begun = stages(run.config)
		.slice(0, now.index + 1)
		.filter((s) => s.phase.endsWith("training"));
	const stage = round === null ? begun.at(-1) : begun.find((s) => String(s.round ?? "source") === round);
	const steps = stage && stage.round === now.round && stage.phase === now.phase ? now.step : STEPS;
	if (!stage && round !== null) return null;
	if (!stage || !steps) return { phase: null, round: null, steps: 0, layers: [], outside: [] };
	const r = random(5 + (stage.round ?? -1)),
		peak = 200;
	const layers = LAYERS.map(([layer, algorithm]) => {
		const forward_ms = 1 + 6 * r(),
			backward_ms = 2 * forward_ms,
			gflops = algorithm ? peak * (0.3 + 1.1 * r()) : null;
		return {
			layer,
			algorithm,
			forward_ms,
			backward_ms,
			gflop_per_step: algorithm ? (gflops * (forward_ms + backward_ms)) / 1000 : 0,
			gflops,
			peak_share: algorithm ? gflops / peak : null,
		};
	});
	const outside = ["waiting", "preparing", "loss", "optimiser", "saving"].map((part, i) => ({
		part,
		ms: [0.2, 1, 4, 6, 0.5][i],
	}));
	const ms =
		layers.reduce((a, l) => a + l.forward_ms + l.backward_ms, 0) +
		outside.reduce((a, o) => a + o.ms, 0);
	return {
		phase: stage.phase,
		round: stage.round,
		steps,
		crop: run.config.data.crop,
		threads: 2,
		kernels: "f4",
		sgemm_peak_gflops: peak,
		seconds_per_step: ms / 1000,
		layers,
		outside,
	};
}

/* Three clouds; the hard one comes nearer from round to round. null: the round has not been scored. */
export function features(run, round, before) {
	if (!rounds_done(run).some((r) => r.round === round)) return null;
	const r = random(40 + round - before);
	const at = (x, y) => ({ x: x + 4 * (r() - 0.5), y: y + 4 * (r() - 0.5) });
	const source = Array.from({ length: 50 }, (_, i) => ({
		domain: "source",
		image: 8 * i,
		name: `day_${String(8 * i).padStart(6, "0")}`,
		...at(-4, 0),
	}));
	const target = round_images(round).map((i) => ({
		domain: i.split,
		image: i.id,
		name: i.name,
		...(i.split === "easy" ? at(-1, 1) : at(6 - round + before, -1)),
	}));
	return {
		round,
		network: before ? "before" : "after",
		perplexity: 30,
		kl: 0.61,
		source: { shown: 50, of: 400 },
		target: { shown: IMAGES, of: IMAGES },
		points: [...source, ...target],
	};
}

export function metrics(run) {
	const steps = Math.floor(run.total ? (run.units / run.total) * 260 : 0),
		r = random(run.id);
	const series = { loss: [], loss_adversarial: [], lr: [], step_seconds: [] };
	for (let s = 1; s <= steps; s++) {
		series.loss.push([s, 2.2 * Math.exp(-s / 45) + 0.35 + 0.25 * r()]);
		if (s > 180) series.loss_adversarial.push([s, 0.65 + 0.1 * r()]);
		series.lr.push([s, s < 60 ? 2.5e-4 * (1 - s / 60) ** 0.9 : 5e-5]);
		series.step_seconds.push([s, 0.42 + 0.05 * r()]);
	}
	return { series: Object.entries(series).map(([key, points]) => ({ key, points })) };
}

/* A new run's configuration, checked for the few things the tests do wrong. */
export function check(config) {
	const errors = [];
	const need = (ok, pointer, detail) => ok || errors.push({ pointer, detail });
	need(typeof config.name === "string" && config.name !== "", "/name", "a name is needed");
	for (const key of ["source", "target"])
		need(
			datasets.some((d) => d.name === config[key]),
			`/${key}`,
			`no data set "${config[key] || ""}"`,
		);
	need(
		Number.isInteger(config.data.batch) && config.data.batch >= 1 && config.data.batch <= 64,
		"/data/batch",
		`${JSON.stringify(config.data.batch)} is not in 1..64`,
	);
	for (const key of Object.keys(config))
		need(
			key in CONFIG || ["name", "preset", "source", "target", "eval"].includes(key),
			`/${key}`,
			"unknown key",
		);
	return errors;
}

export { CLASSES };
