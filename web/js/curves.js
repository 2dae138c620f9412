/* curves: training curves of a run from /metrics: one chart for the losses, small ones for the rest. */

import { get } from "./api.js";
import { chart, css, smooth } from "./charts.js";
import { h, replace, throttle } from "./dom.js";
import { number } from "./format.js";
import { set_query } from "./router.js";

const COLORS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const MAX_POINTS = 1500;

function is_loss(key) {
	return /loss/i.test(key);
}

/* Losses near zero or below cannot be shown on a log axis. */
function positive(points) {
	return points.map(([x, y]) => [x, y > 0 ? y : null]);
}

/* The card of curves. refresh() reads them again. */
export function curves(run_id, ctx) {
	let log = ctx.query.log === "1",
		smoothing = Number(ctx.query.smooth ?? 0.8),
		series = [];
	let built = { key: "", charts: [], updates: [] }; /* what is on screen */
	const body = h("div");

	function loss_lists(losses) {
		const fit = (points) => (log ? positive(points) : points);
		return losses.flatMap((s) =>
			smoothing > 0 ? [fit(s.points), fit(smooth(s.points, smoothing))] : [fit(s.points)],
		);
	}
	function loss_series(losses) {
		return losses.flatMap((s, i) => {
			const color = () => css(COLORS[i % COLORS.length]);
			const line = { label: s.key, color, points: [] };
			return smoothing > 0
				? [{ ...line, label: `${s.key} (raw)`, cls: "raw", alpha: 0.25, width: 1 }, line]
				: [line];
		});
	}
	function build(losses, others) {
		const charts = [],
			updates = [];
		const big = chart({
			label: "training losses by step",
			series: loss_series(losses),
			height: 300,
			log,
			x_label: "step",
			signal: ctx.signal,
			x_value: number,
			value: number,
		});
		charts.push(big);
		updates.push(() => big.update(loss_lists(losses_now())));
		const small = others.map((s, i) => {
			const c = chart({
				label: `${s.key} by step`,
				series: [{ label: s.key, points: [], color: () => css(COLORS[i % COLORS.length]) }],
				height: 130,
				x_label: null,
				signal: ctx.signal,
				value: number,
				x_value: number,
				legend: false,
				y_values: (_, ticks) => ticks.map(number),
			});
			charts.push(c);
			updates.push(() => c.update([series.find((x) => x.key === s.key).points]));
			return h("figure.small-chart", h("figcaption", s.key), c.node);
		});
		replace(body, losses.length ? big.node : null, small.length ? h("div.small-charts", small) : null);
		return { charts, updates };
	}
	const losses_now = () => series.filter((s) => is_loss(s.key));
	function draw() {
		const shown = series.filter((s) => s.points.length);
		if (!shown.length) {
			replace(body, h("p.muted", "Curves appear when the first steps have been saved."));
			return;
		}
		const key = JSON.stringify([shown.map((s) => s.key), log, smoothing > 0]);
		if (built.key !== key) {
			series = shown;
			built.charts.forEach((c) => c.destroy());
			built = {
				key,
				...build(
					losses_now(),
					shown.filter((s) => !is_loss(s.key)),
				),
			};
		}
		built.updates.forEach((update) => update());
	}
	async function load() {
		const answer = await get(`/runs/${run_id}/metrics`, { max_points: MAX_POINTS }, ctx.signal);
		series = answer.series;
		draw();
	}
	const log_box = h("input", {
		type: "checkbox",
		checked: log,
		onchange: (e) => {
			log = e.target.checked;
			set_query({ log: log ? "1" : "" });
			draw();
		},
	});
	const slider = h("input", {
		type: "range",
		min: 0,
		max: 0.98,
		step: 0.02,
		value: smoothing,
		oninput: (e) => {
			smoothing = Number(e.target.value);
			set_query({ smooth: e.target.value });
			draw();
		},
	});
	const node = h(
		"section.card",
		h(
			"div.card-head",
			h("h2", "Training curves"),
			h("div.tools", h("label.inline", "smoothing", slider), h("label.inline", log_box, "log axis")),
		),
		body,
	);
	const refresh = throttle(() => load().catch(() => {}), 3000);
	return { node, load, refresh };
}
