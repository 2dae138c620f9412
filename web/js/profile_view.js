/* profile_view: where the time of a training step goes: a bar for every layer and for what lies around
 * the networks. */

import { get } from "./api.js";
import { h, replace, throttle } from "./dom.js";
import { fixed, is_number, is_source, LIVE, number, percent, phase_name, round_name } from "./format.js";
import { set_query } from "./router.js";
import { stages_of } from "./stages.js";
import { select, sort_table } from "./widgets.js";

const KINDS = ["forward", "backward", "outside"];
const KIND_TEXT = {
	forward: "forward pass",
	backward: "backward pass: both gradients",
	outside: "outside of the network",
};
const OUTSIDE = {
	waiting: "waiting for data",
	preparing: "preparing the step",
	loss: "losses and resizing",
	optimiser: "optimiser",
	saving: "saving",
};

/* Layers in the order of the network, then the parts around it, all in milliseconds a step. */
export function rows_of(profile) {
	const layers = profile.layers.map((l) => ({
		name: l.layer,
		algorithm: l.algorithm,
		forward: l.forward_ms,
		backward: l.backward_ms,
		outside: 0,
		ms: l.forward_ms + l.backward_ms,
		rate: l.gflops,
		peak: l.peak_share,
	}));
	const around = profile.outside.map((o) => ({
		name: OUTSIDE[o.part] || o.part,
		algorithm: "",
		forward: 0,
		backward: 0,
		outside: o.ms,
		ms: o.ms,
		rate: null,
		peak: null,
	}));
	return [...layers, ...around].map((row, index) => ({ ...row, index }));
}

/* Forward and backward on top of each other, as long as the longest row allows. */
function bar(row, longest) {
	const text = KINDS.filter((k) => row[k] > 0)
		.map((k) => `${k} ${fixed(row[k], 2)} ms`)
		.join(", ");
	return h(
		"div.stack.time-bar",
		{ role: "img", "aria-label": text || "no time", title: text },
		KINDS.map((k) =>
			h("span", { class: `time-${k}`, style: { width: `${(100 * row[k]) / (longest || 1)}%` } }),
		),
	);
}

function columns_of(rows, step_ms) {
	const longest = Math.max(...rows.map((r) => r.ms));
	return [
		{ key: "order", label: "#", num: true, value: (r) => r.index, cell: (r) => r.index + 1 },
		{ key: "layer", label: "Layer", cls: "nowrap", value: (r) => r.name, cell: (r) => r.name },
		{
			key: "algorithm",
			label: "Algorithm",
			cls: "nowrap",
			title: "forward / data gradient / weight gradient, where they differ",
			value: (r) => r.algorithm || null,
			cell: (r) => r.algorithm,
		},
		{ key: "bar", label: "Time a step", cls: "time-cell", cell: (r) => bar(r, longest) },
		{ key: "ms", label: "ms", num: true, value: (r) => r.ms, cell: (r) => fixed(r.ms, 2) },
		{
			key: "share",
			label: "Step %",
			num: true,
			title: "share of the whole step",
			value: (r) => r.ms,
			cell: (r) => percent(r.ms / step_ms),
		},
		{
			key: "rate",
			label: "GFLOP/s",
			num: true,
			title: "multiplications and additions of the plain convolution",
			value: (r) => r.rate,
			cell: (r) => fixed(r.rate, 1),
		},
		{
			key: "peak",
			label: "Of sgemm %",
			num: true,
			title: "share of this machine's rate of matrix products; Winograd saves multiplications, so it can pass 100",
			value: (r) => r.peak,
			cell: (r) => percent(r.peak, 0),
		},
	];
}

function legend(rows, step_ms) {
	return h(
		"ul.legend-row",
		{ "aria-label": "what the bars are made of" },
		KINDS.map((k) =>
			h(
				"li",
				{ title: KIND_TEXT[k] },
				h("i", { class: `swatch time-${k}`, "aria-hidden": "true" }),
				`${k} ${percent(rows.reduce((a, r) => a + r[k], 0) / step_ms, 0)} %`,
			),
		),
	);
}

function sentence(p) {
	const where = is_source(p.round)
		? phase_name(p.phase)
		: `${phase_name(p.phase)}, ${round_name(p.round)}`;
	const peak = is_number(p.sgemm_peak_gflops)
		? `; matrix products reach ${number(Math.round(p.sgemm_peak_gflops))} GFLOP/s here`
		: "";
	return (
		`${fixed(p.seconds_per_step, 3)} s a step, mean of ${number(p.steps)} steps of ${where}: ` +
		`crop ${p.crop.join(" × ")}, ${p.threads} ${p.threads === 1 ? "thread" : "threads"}, ` +
		`kernels ${p.kernels}${peak}.`
	);
}

/* Trainings that have begun, newest first: [[value of ?round=, text]]. */
function trainings(run) {
	return stages_of(run.config)
		.slice(0, run.stage + 1)
		.filter((s) => s.phase.endsWith("training"))
		.map((s) => [is_source(s.round) ? "source" : String(s.round), round_name(s.round)])
		.reverse();
}

/* The card. load() reads the profile; update(run) reads it again when it may have changed. */
export function profile_view(run, ctx) {
	const body = h("div.profile"),
		tools = h("div.tools");
	let profile = null,
		round = ctx.query.profile || "",
		sort = ctx.query.time || "-ms",
		seen = "";

	function draw_tools(rows) {
		const choice = [["", "newest training"], ...trainings(run)];
		replace(
			tools,
			rows.length ? legend(rows, 1e3 * profile.seconds_per_step) : null,
			h(
				"label.inline",
				"of",
				select(
					{
						id: "profile-round",
						onchange: (e) => {
							round = e.target.value;
							set_query({ profile: round });
							load();
						},
					},
					choice,
					choice.some(([value]) => value === round) ? round : "",
				),
			),
		);
	}
	/* Drawn anew while the run trains: keyboard and scrolling stay where they were. */
	function draw() {
		const rows = rows_of(profile);
		const focus = node.contains(document.activeElement) ? document.activeElement.id : "";
		const wrap = body.querySelector(".table-wrap");
		const top = wrap ? wrap.scrollTop : 0;
		draw_tools(rows);
		if (rows.length)
			replace(
				body,
				h("p.muted", sentence(profile)),
				sort_table({
					columns: columns_of(rows, 1e3 * profile.seconds_per_step),
					rows,
					sort,
					caption: "time of each layer in a training step",
					row_props: (r) => (r.outside > 0 ? { class: "muted" } : null),
					on_sort: (s) => {
						sort = s;
						set_query({ time: s });
						draw();
					},
				}),
			);
		else replace(body, h("p.muted", "No training step has been measured yet."));
		if (rows.length) body.querySelector(".table-wrap").scrollTop = top;
		const again = focus && document.getElementById(focus);
		if (again) again.focus({ preventScroll: true });
	}
	async function load() {
		const asked = round;
		const now = await get(`/runs/${run.id}/profile`, asked ? { round: asked } : null, ctx.signal).catch(
			(e) => {
				if (e.status !== 404) throw e;
				return { layers: [], outside: [] };
			},
		);
		if (asked !== round) return;
		profile = now;
		draw();
	}
	const refresh = throttle(() => load().catch(() => {}), 5000);
	function update(now) {
		const here = `${now.state} ${now.phase} ${now.round}`;
		run = now;
		if (here !== seen || (LIVE.has(run.state) && run.phase.endsWith("training"))) refresh();
		seen = here;
	}
	const node = h("section.card", h("div.card-head", h("h2", "Profile: where time goes"), tools), body);
	return { node, load, update };
}
