/* routes: the REST interface of the pretended daemon. */
import * as experiments from "./experiments.mjs";
import { layer_png } from "./scene.mjs";
import * as state from "./state.mjs";

/* Ends a request with a problem. */
export class Refusal extends Error {
	constructor(status, detail, errors) {
		super(detail);
		Object.assign(this, { status, errors });
	}
}

const ACTIONS = {
	pause: { running: "pausing", starting: "pausing", queued: "paused" },
	resume: { paused: "queued", failed: "queued" },
	cancel: { running: "cancelling", queued: "cancelled", paused: "cancelled" },
};

function dataset_id(name) {
	const d = state.datasets.find((x) => x.name === name);
	return d ? d.id : null;
}

function run_json(run, detail) {
	const p = state.position(run),
		points = state.iou(run).points;
	const best = points.length ? Math.max(...points.map((x) => x.miou)) : null;
	return {
		id: run.id,
		name: run.config.name,
		preset: run.config.preset,
		state: run.state,
		allowed_actions: Object.keys(ACTIONS).filter((a) => ACTIONS[a][run.state]),
		target: run.config.target,
		target_id: dataset_id(run.config.target),
		source_id: dataset_id(run.config.source),
		eval_id: dataset_id(run.config.eval),
		phase: p.phase,
		round: p.round,
		rounds_total: run.config.self_training.phase1_rounds + run.config.self_training.phase2_rounds,
		stage: p.index,
		step: p.step,
		steps_total: p.total,
		progress: run.units / run.total,
		eta_seconds: run.state === "running" ? (run.total - run.units) / 20 : null,
		config: run.config,
		error: run.error,
		miou: {
			source_only: points.length ? points[0].miou : null,
			current: points.length ? points[points.length - 1].miou : null,
			best,
		},
		created: run.created,
		updated: run.history[run.history.length - 1].time,
		seconds: run.units / 20,
		...(detail ? { state_history: run.history } : {}),
	};
}

/* Keyset cursors are opaque outside; here they are offsets. */
function page(list, q) {
	const limit = Math.min(500, Number(q.get("limit") || 50)),
		from = Number(q.get("cursor") || 0);
	return {
		items: list.slice(from, from + limit),
		next_cursor: from + limit < list.length ? String(from + limit) : null,
		total: list.length,
	};
}

function find_run(id) {
	const run = state.runs.find((r) => r.id === Number(id));
	if (!run) throw new Refusal(404, `there is no run ${id}`);
	return run;
}

function find_experiment(id) {
	const x = experiments.experiments.find((e) => e.id === Number(id));
	if (!x) throw new Refusal(404, `there is no experiment ${id}`);
	return x;
}

function act(run, action) {
	const to = ACTIONS[action][run.state];
	if (!to) throw new Refusal(409, `a ${run.state} run cannot ${action}`);
	state.set_state(run, to, `${action} asked for`);
	return run_json(run, true);
}

function images(run, q) {
	const done = state.rounds_done(run);
	const round =
		q.get("round") === null ? (done.length ? done[done.length - 1].round : 0) : Number(q.get("round"));
	let list = done.some((r) => r.round === round) ? state.round_images(round) : [];
	if (q.get("split")) list = list.filter((i) => i.split === q.get("split"));
	if (q.get("class")) list = list.filter((i) => i.class_confidence[Number(q.get("class"))] !== null);
	const by = {
		confidence: (a, b) => a.confidence - b.confidence,
		"-confidence": (a, b) => b.confidence - a.confidence,
		name: (a, b) => a.id - b.id,
	};
	return page(list.sort(by[q.get("sort") || "confidence"]), q);
}

/* [{method, test, handler}]; a handler gets the path's parts, the query q, and the body. */
export const ROUTES = [
	["GET /presets", () => state.PRESETS],
	[
		"GET /schema/run-config",
		() => ({
			properties: {
				data: { properties: { batch: { description: "Pictures a step", minimum: 1, maximum: 64 } } },
			},
		}),
	],
	[
		"GET /class-sets",
		() =>
			["cityscapes-19", "synthia-16", "synthia-13", "camvid-11"].map((name) => ({
				name,
				classes: state.CLASSES,
			})),
	],
	["GET /datasets", ({ q }) => page(state.datasets, q)],
	[
		"POST /datasets",
		({ body }) => {
			if (!body.root.startsWith("/srv/"))
				throw new Refusal(422, `/root: no folder ${body.root}`, [
					{ pointer: "/root", detail: `no folder ${body.root}` },
				]);
			const d = {
				...state.datasets[0],
				...body,
				id: state.datasets.length + 1,
				images: 12,
				labelled: 0,
			};
			state.datasets.push(d);
			return d;
		},
	],
	["GET /datasets/:id", ({ id }) => state.datasets.find((d) => d.id === Number(id))],
	["GET /datasets/:id/images/:image/thumb.png", ({ image }) => layer_png(Number(image), 0, 0, "image")],
	["GET /weights", ({ q }) => page(state.weights, q)],
	[
		"POST /weights",
		({ q, raw }) => {
			const w = {
				id: state.weights.length + 1,
				name: q.get("name"),
				arch: q.get("arch"),
				sha256: "00".repeat(32),
				tensors: 10,
				bytes: raw.length,
			};
			state.weights.push(w);
			return w;
		},
	],
	[
		"POST /runs:estimate",
		() => ({ seconds: 5400, phase_seconds: { source_training: 3600, scoring: 1800 } }),
	],
	[
		"POST /runs:validate",
		({ body }) => {
			const errors = state.check(body),
				ok = errors.length === 0;
			return {
				ok,
				errors,
				estimate: ok ? { memory_bytes: 812e6, disk_bytes: 3.1e9, steps_total: 260 } : null,
			};
		},
	],
	[
		"POST /runs",
		({ body }) => {
			const errors = state.check(body);
			if (errors.length) throw new Refusal(422, "the configuration has mistakes", errors);
			return run_json(state.add_run(body), true);
		},
	],
	[
		"GET /runs",
		({ q }) =>
			page(
				[...state.runs].reverse().map((r) => run_json(r)),
				q,
			),
	],
	["GET /runs/:id", ({ id }) => run_json(find_run(id), true)],
	[
		"DELETE /runs/:id",
		({ id }) => {
			state.runs.splice(state.runs.indexOf(find_run(id)), 1);
		},
	],
	["POST /runs/:id/:action", ({ id, action }) => act(find_run(id), action)],
	["GET /runs/:id/metrics", ({ id }) => state.metrics(find_run(id))],
	["GET /runs/:id/iou", ({ id }) => state.iou(find_run(id))],
	[
		"GET /runs/:id/confusion",
		({ id, q }) => {
			if (!/^(source|\d+)$/.test(q.get("round") ?? "0"))
				throw new Refusal(400, "round must be a number or 'source'");
			return state.confusion(find_run(id));
		},
	],
	[
		"GET /runs/:id/profile",
		({ id, q }) => {
			const profile = state.profile(find_run(id), q.get("round"));
			if (!profile) throw new Refusal(404, "that round has not been trained");
			return profile;
		},
	],
	["GET /runs/:id/rounds", ({ id }) => state.rounds_done(find_run(id))],
	[
		"GET /runs/:id/rounds/:r/features",
		({ id, r, q }) => {
			const features = state.features(find_run(id), Number(r), q.get("network") === "before");
			if (!features) throw new Refusal(404, `round ${r} has not been scored`);
			if (r === "1" && !state.asked.has(r)) {
				state.asked.add(r);
				throw new Refusal(409, "the features of run 3, round 0 are being computed: ask again later");
			}
			return features;
		},
	],
	["GET /runs/:id/images", ({ id, q }) => images(find_run(id), q)],
	[
		"GET /runs/:id/images/:image",
		({ id, image }) => ({
			id: Number(image),
			name: `dusk_${image.padStart(6, "0")}`,
			history: state
				.rounds_done(find_run(id))
				.map((r) => state.round_images(r.round).find((i) => i.id === Number(image))),
		}),
	],
	["GET /runs/:id/images/:image/thumb.png", ({ image }) => layer_png(Number(image), 0, 0, "image")],
	[
		"GET /runs/:id/rounds/:r/images/:image/:layer",
		({ r, image, layer }) => {
			const png = layer_png(
				Number(image),
				Number(r),
				state.hardness(Number(image), Number(r)),
				layer.replace(".png", ""),
			);
			if (!png) throw new Refusal(404, "no such layer");
			return png;
		},
	],
	[
		"GET /runs/:id/checkpoints",
		({ id, q }) =>
			page(
				state.iou(find_run(id)).points.map((p, i) => ({
					id: i + 1,
					run: Number(id),
					round: p.round,
					phase: "phase1_training",
					step: p.step,
					sha256: "ab12cd34".repeat(8),
					bytes: 9514322,
				})),
				q,
			),
	],
	["GET /checkpoints/:id/file", () => Buffer.alloc(64)],
	[
		"GET /experiments",
		({ q }) => page([...experiments.experiments].reverse().map(experiments.list_json), q),
	],
	[
		"POST /experiments",
		({ body }) => {
			const errors = experiments.check(body);
			if (errors.length) throw new Refusal(422, "the definition has mistakes", errors);
			return experiments.json(experiments.add_experiment(body));
		},
	],
	[
		"GET /experiments/:id",
		({ id, accept }) => {
			const x = find_experiment(id);
			return accept === "text/csv" ? experiments.csv(x) : experiments.json(x);
		},
	],
	[
		"POST /experiments/:id/cancel",
		({ id }) => {
			const x = find_experiment(id);
			experiments.cancel(x);
			return experiments.json(x);
		},
	],
	[
		"DELETE /experiments/:id",
		({ id, q }) => {
			const x = find_experiment(id);
			if (experiments.state_of(x) === "running")
				throw new Refusal(409, "a running experiment cannot be deleted");
			experiments.discard(x, q.get("runs") === "true");
		},
	],
].map(([key, handler]) => {
	const [method, pattern] = key.split(" ");
	return {
		method,
		handler,
		test: new RegExp(`^${pattern.replace(/\/:([a-z]+)(?=\/|$)/g, "/(?<$1>[^/]+)")}$`),
	};
});
