/* charts: uPlot in the page's colours, redrawn when its box or the colour scheme changes. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { h } from "./dom.js";

const scheme = matchMedia("(prefers-color-scheme: dark)");

export function is_dark() {
	return scheme.matches;
}
export function css(name) {
	return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* Several [[x, y], ...] lists onto one x axis; gaps are null. */
export function align(lists) {
	const xs = [...new Set(lists.flatMap((list) => list.map((p) => p[0])))].sort((a, b) => a - b);
	const at = new Map(xs.map((x, i) => [x, i]));
	return [
		xs,
		...lists.map((list) => {
			const ys = new Array(xs.length).fill(null);
			for (const [x, y] of list) ys[at.get(x)] = y;
			return ys;
		}),
	];
}

/* Exponential average with bias correction, s in [0, 1). */
export function smooth(points, s) {
	let sum = 0,
		weight = 0;
	return points.map(([x, y]) => {
		sum = s * sum + (1 - s) * y;
		weight = s * weight + (1 - s);
		return [x, sum / weight];
	});
}

function axis(extra) {
	return {
		stroke: css("--muted"),
		grid: { stroke: css("--grid"), width: 1 },
		ticks: { stroke: css("--grid"), width: 1, size: 4 },
		font: "12px system-ui, sans-serif",
		...extra,
	};
}

/* chart({label, series, height, log, x_label, x_values, y_range, points, signal, lines}) -> {node, update, destroy}.
 * series: [{label, points: [[x, y]], color(), cls?, width?, dash?, alpha?}]; color is a function so that it
 * follows the colour scheme. lines: [{x, label}] are drawn as dashed verticals. update(lists) shows new
 * points of the same series. */
export function chart(options) {
	const box = h("div.chart");
	const height = options.height || 260;
	let plot = null,
		data = align(options.series.map((s) => s.points));

	function update(lists) {
		data = align(lists);
		if (plot) plot.setData(data);
	}
	function draw() {
		if (plot) plot.destroy();
		const series = options.series.map((s) => ({
			label: s.label,
			class: s.cls,
			stroke: s.color(),
			width: s.width || 1.5,
			dash: s.dash,
			alpha: s.alpha,
			spanGaps: true,
			show: s.show !== false,
			points: { show: options.points === true, size: 6, fill: s.color() },
			value: (_, v) => (v === null || v === undefined ? "–" : (options.value || String)(v)),
		}));
		const opts = {
			width: Math.max(200, box.clientWidth),
			height,
			legend: { show: options.legend !== false },
			cursor: { focus: { prox: options.focus ? 24 : -1 }, y: false },
			focus: { alpha: 0.25 },
			scales: {
				x: { time: false, range: options.x_range },
				y: { distr: options.log ? 3 : 1, range: options.log ? undefined : options.y_range },
			},
			axes: [
				axis({
					values: options.x_values,
					splits: options.x_splits,
					label: options.x_label,
					size: 32,
					labelSize: 16,
					labelGap: -4,
					labelFont: "12px system-ui, sans-serif",
				}),
				axis({ size: 56, space: 24, values: options.y_values }),
			],
			series: [
				{
					label: options.x_label || "x",
					value: (_, v) => (v === null ? "–" : options.x_value ? options.x_value(v) : String(v)),
				},
				...series,
			],
			hooks: { draw: [(u) => draw_lines(u, options.lines || [])] },
		};
		plot = new uPlot(opts, data, box);
		plot.ctx.canvas.setAttribute("role", "img");
		plot.ctx.canvas.setAttribute("aria-label", options.label);
	}

	const observer = new ResizeObserver(() => {
		if (!plot && box.clientWidth > 0) draw();
		else if (plot && box.clientWidth > 0 && plot.width !== box.clientWidth)
			plot.setSize({ width: box.clientWidth, height });
	});
	observer.observe(box);
	scheme.addEventListener("change", draw);
	function destroy() {
		observer.disconnect();
		scheme.removeEventListener("change", draw);
		if (plot) plot.destroy();
		plot = null;
	}
	options.signal.addEventListener("abort", destroy, { once: true });
	return { node: box, update, destroy };
}

function draw_lines(u, lines) {
	const { ctx, bbox } = u;
	ctx.save();
	ctx.strokeStyle = css("--muted");
	ctx.fillStyle = css("--muted");
	ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
	ctx.textAlign = "left";
	ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
	for (const { x, label } of lines) {
		const at = u.valToPos(x, "x", true);
		if (at < bbox.left || at > bbox.left + bbox.width) continue;
		ctx.beginPath();
		ctx.moveTo(at, bbox.top);
		ctx.lineTo(at, bbox.top + bbox.height);
		ctx.stroke();
		ctx.fillText(label || "", at + 4 * devicePixelRatio, bbox.top + 12 * devicePixelRatio);
	}
	ctx.restore();
}

/* Share of a value in [0, 1] -> background and text colour of a heat map cell. */
export function heat(share) {
	const s = Math.min(1, Math.max(0, share));
	const background = `color-mix(in oklab, var(--heat-high) ${(100 * s).toFixed(1)}%, var(--heat-low))`;
	return {
		"background-color": background,
		color: s > (is_dark() ? 0.66 : 0.5) ? "var(--heat-text-high)" : "var(--heat-text-low)",
	};
}

/* A difference -> background and text colour of a heat map cell: one colour up, one down, the stronger the
 * farther from none; `most` has the full colour. */
export function heat_signed(value, most) {
	const s = most > 0 ? Math.min(1, Math.abs(value) / most) : 0;
	const to = value < 0 ? "--heat-down" : "--heat-up";
	return {
		"background-color": `color-mix(in oklab, var(${to}) ${(100 * s).toFixed(1)}%, var(--heat-low))`,
		/* Where the other text begins to have more contrast. */
		color: s > (is_dark() ? 0.57 : 0.79) ? "var(--heat-text-high)" : "var(--heat-text-low)",
	};
}
