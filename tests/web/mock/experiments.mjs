/* experiments: grids of runs of the pretended daemon. A cell's run is an ordinary run of state.mjs; its numbers
 * are those of the run, moved by the variant and by the seed. */
import { random } from "./scene.mjs";
import * as state from "./state.mjs";

const GAIN = {
	"source-only": 0,
	cbst: 0.018,
	"crst-mrkld": 0.024,
	"tpld-phase1": -0.01,
	tpld: 0.041,
	oracle: 0.14,
};
const LUCK = 0.03;
const FINAL = ["completed", "failed", "cancelled"];
const WAITING = { state: "waiting", units: 0 };

export const experiments = [];

function patched(config, patch) {
	const out = { ...config };
	for (const [key, value] of Object.entries(patch || {}))
		out[key] =
			value !== null && typeof value === "object" && !Array.isArray(value)
				? patched(out[key] || {}, value)
				: value;
	return out;
}

function config_of(definition, variant, seed) {
	const preset = state.PRESETS.find((p) => p.name === variant.preset).config;
	const config = patched(patched(preset, definition.config), variant.config);
	return { ...config, name: `${definition.name} / ${variant.name} / seed ${seed}`, seed };
}

/* Mistakes of a definition by JSON pointer. */
export function check(d) {
	const errors = [];
	const need = (ok, pointer, detail) => ok || errors.push({ pointer, detail });
	need(typeof d.name === "string" && d.name !== "", "/name", "a name is needed");
	need(
		Array.isArray(d.seeds) && d.seeds.length > 0 && d.seeds.every((s) => Number.isInteger(s) && s >= 0),
		"/seeds",
		"one to 100 whole numbers",
	);
	(d.variants || []).forEach((v, i) => {
		const at = `/variants/${i}`;
		if (!state.PRESETS.some((p) => p.name === v.preset))
			return need(false, `${at}/preset`, `no preset "${v.preset}"`);
		for (const e of state.check(config_of(d, v, 1))) {
			const top = e.pointer.split("/")[1];
			const own = v.config && top in v.config;
			const pointer = own ? `${at}/config${e.pointer}` : `/config${e.pointer}`;
			need(
				errors.some((x) => x.pointer === pointer),
				pointer,
				e.detail,
			);
		}
	});
	const names = (d.variants || []).map((v) => v.name);
	need(names.includes(d.baseline), "/baseline", `no variant "${d.baseline}"`);
	return errors;
}

/* states: what each run becomes, by [variant, seed]; without, all are queued. */
export function add_experiment(definition, states) {
	const x = {
		id: experiments.length ? Math.max(...experiments.map((e) => e.id)) + 1 : 1,
		definition,
		created: new Date().toISOString(),
		cancelled: false,
	};
	const run_of = (variant, seed) => {
		const [to, done] = states ? states(variant.name, seed) : ["queued", 0];
		if (to === "waiting") return null;
		return state.add_run(config_of(definition, variant, seed), to === "queued" ? null : to, done);
	};
	const is_source = (v) => v.preset === "source-only" && !v.config;
	const base = definition.variants.find(is_source) || { name: "source", preset: "source-only" };
	x.sources = new Map(definition.seeds.map((s) => [s, run_of(base, s)]));
	x.cells = definition.variants.map((v) =>
		definition.seeds.map((s) => (is_source(v) ? x.sources.get(s) : run_of(v, s))),
	);
	experiments.push(x);
	return x;
}

function runs_of(x) {
	return [...new Set([...x.sources.values(), ...x.cells.flat()])];
}

export function state_of(x) {
	const runs = runs_of(x).map((r) => r || WAITING);
	if (x.cancelled) return "cancelled";
	if (!runs.every((r) => FINAL.includes(r.state))) return "running";
	return runs.every((r) => r.state === "completed") ? "completed" : "failed";
}

function number_of(name) {
	return [...name].reduce((a, c) => (a * 31 + c.charCodeAt(0)) % 65521, 7);
}

/* IoU of a run's last evaluation. */
function iou_of(run, variant, seed) {
	const point = run && state.iou(run).points.at(-1);
	if (!point) return null;
	const base = state.iou({ ...run, units: 100 }).points[0]; /* every run's source model is the same here */
	return base.iou.map((v, k) =>
		v === null
			? null
			: Math.min(
					0.99,
					Math.max(
						0.005,
						v +
							(GAIN[variant] ?? 0.03) * (3 * random(k * 7 + number_of(variant))() - 0.5) +
							LUCK * (random(seed * 13)() - 0.5) +
							LUCK * (random(seed * 101 + number_of(variant))() - 0.5),
					),
				),
	);
}

function mean(list) {
	const known = list.filter((v) => v !== null);
	return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

function deviation(list) {
	if (list.length < 2) return null;
	const m = mean(list);
	return Math.sqrt(list.reduce((a, v) => a + (v - m) ** 2, 0) / (list.length - 1));
}

/* Two-sided p of Student's t: the density's tail by Simpson's rule over u = 1 / x, scaled by the whole. */
function p_of(t, df) {
	const density = (x) => (1 + (x * x) / df) ** (-(df + 1) / 2);
	const simpson = (f, a, b, n = 2000) => {
		const step = (b - a) / n;
		let sum = f(a) + f(b);
		for (let i = 1; i < n; i++) sum += (i % 2 ? 4 : 2) * f(a + i * step);
		return (sum * step) / 3;
	};
	const tail = (from) => simpson((u) => density(1 / u) / (u * u), 1e-9, 1 / from);
	const inner = simpson(density, 0, 1);
	const a = Math.abs(t);
	return a < 1 ? 1 - simpson(density, 0, a) / (inner + tail(1)) : tail(a) / (inner + tail(1));
}

function difference(mine, base) {
	const both = mine.flatMap((c, i) => (done(c) && done(base[i]) ? [[c, base[i]]] : []));
	if (!both.length) return null;
	const list = both.map(([a, b]) => a.miou - b.miou),
		m = mean(list),
		d = deviation(list);
	const t = d ? m / (d / Math.sqrt(list.length)) : null;
	return {
		mean: m,
		deviation: d,
		t,
		p: t === null ? null : p_of(t, list.length - 1),
		count: list.length,
		iou: state.CLASSES.map((_, k) =>
			mean(both.map(([a, b]) => (a.iou[k] === null || b.iou[k] === null ? null : a.iou[k] - b.iou[k]))),
		),
	};
}

function done(cell) {
	return cell.state === "completed" && cell.miou !== null;
}

function cells_of(x, i) {
	const variant = x.definition.variants[i];
	return x.definition.seeds.map((seed, j) => {
		const run = x.cells[i][j],
			source = x.sources.get(seed);
		const iou = iou_of(run, variant.name, seed);
		const miou = iou && mean(iou);
		return {
			seed,
			run: run ? run.id : null,
			state: run ? run.state : x.cancelled ? "cancelled" : "waiting",
			source_run: source ? source.id : null,
			miou_source:
				source && iou_of(source, "source-only", seed) && mean(iou_of(source, "source-only", seed)),
			miou,
			miou_best: miou === null ? null : miou + 0.004,
			iou: iou || state.CLASSES.map(() => null),
		};
	});
}

export function list_json(x) {
	const runs = runs_of(x);
	return {
		id: x.id,
		name: x.definition.name,
		state: state_of(x),
		created: x.created,
		runs_total: runs.length,
		runs_done: runs.filter((r) => r && r.state === "completed").length,
		progress: mean(runs.map((r) => (r ? r.units / r.total : 0))),
		variants: x.definition.variants.length,
		seeds: x.definition.seeds.length,
	};
}

export function json(x) {
	const d = x.definition,
		base = d.variants.findIndex((v) => v.name === d.baseline),
		all = d.variants.map((_, i) => cells_of(x, i));
	const average = (i) => (i < 0 ? null : mean(all[i].filter(done).map((c) => c.miou)));
	const low = average(base),
		high = average(d.variants.findIndex((v) => v.name === d.upper_bound));
	const head = list_json(x);
	return {
		...head,
		error: head.state === "failed" ? "a run failed; its page says why" : null,
		baseline: d.baseline,
		upper_bound: d.upper_bound ?? null,
		seeds: d.seeds,
		eta_seconds: head.state === "running" ? 5400 * (1 - head.progress) : null,
		classes: state.CLASSES,
		source_runs: [...x.sources].map(([seed, r]) => ({
			run: r ? r.id : null,
			seed,
			state: r ? r.state : "waiting",
			miou: r && iou_of(r, "source-only", seed) && mean(iou_of(r, "source-only", seed)),
		})),
		variants: d.variants.map((v, i) => {
			const finished = all[i].filter(done),
				list = finished.map((c) => c.miou);
			return {
				name: v.name,
				preset: v.preset,
				cells: all[i],
				count: finished.length,
				miou: list.length
					? {
							mean: mean(list),
							deviation: deviation(list),
							min: Math.min(...list),
							max: Math.max(...list),
						}
					: null,
				iou: state.CLASSES.map((_, k) => {
					const values = finished.map((c) => c.iou[k]).filter((y) => y !== null);
					return values.length ? { mean: mean(values), deviation: deviation(values) } : null;
				}),
				difference: i === base || base < 0 ? null : difference(all[i], all[base]),
				gap_closed:
					list.length && low !== null && high !== null && high !== low && i !== base
						? (mean(list) - low) / (high - low)
						: null,
			};
		}),
		config: d,
	};
}

export function csv(x) {
	const head = ["variant", "seed", "run", "state", "miou", ...state.CLASSES.map((c) => c.name)];
	const rows = json(x).variants.flatMap((v) =>
		v.cells.map((c) => [v.name, c.seed, c.run, c.state, c.miou, ...c.iou].map((y) => y ?? "")),
	);
	const field = (y) => (/[",]/.test(y) ? `"${String(y).replaceAll('"', '""')}"` : y);
	return [head, ...rows].map((r) => `${r.map(field).join(",")}\n`).join("");
}

export function cancel(x) {
	for (const r of runs_of(x))
		if (r && !FINAL.includes(r.state)) state.set_state(r, "cancelled", "the experiment was cancelled");
	x.cancelled = true;
	state.emit_experiment(x.id, "cancelled");
}

export function discard(x, with_runs) {
	experiments.splice(experiments.indexOf(x), 1);
	if (!with_runs) return;
	const gone = runs_of(x);
	state.runs.splice(0, state.runs.length, ...state.runs.filter((r) => !gone.includes(r)));
}

/* A finished experiment with an upper bound, and one with a failed, a running and waiting runs. */
export function fill_experiments() {
	const config = { source: "carla-day", target: "camvid-dusk", eval: "camvid-dusk" };
	const plain = (...names) => names.map((name) => ({ name, preset: name }));
	add_experiment(
		{
			name: "what helps at dusk",
			seeds: [1, 2, 3],
			config,
			variants: [
				...plain("source-only", "cbst", "crst-mrkld", "tpld-phase1", "tpld"),
				{
					name: "tpld, easy share 0.5",
					preset: "tpld",
					config: { self_training: { easy_portion: 0.5 } },
				},
				{ name: "oracle", preset: "source-only", config: { source: "camvid-dusk" } },
			],
			baseline: "source-only",
			upper_bound: "oracle",
		},
		() => ["completed", 1],
	);
	add_experiment(
		{
			name: "two seeds",
			seeds: [1, 2],
			config,
			variants: plain("source-only", "cbst", "tpld"),
			baseline: "source-only",
			upper_bound: null,
		},
		(variant, seed) =>
			variant === "source-only"
				? ["completed", 1]
				: variant === "cbst"
					? seed === 1
						? ["completed", 1]
						: ["failed", 0.3]
					: seed === 1
						? ["paused", 0.5]
						: ["waiting", 0],
	);
}
