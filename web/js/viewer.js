/* viewer: one photo under label layers on canvases that share zoom, position and crosshair. Opacity and
 * class toggles only repaint; nothing is fetched again. */

import { css } from "./charts.js";
import { h, replace } from "./dom.js";
import { LAYERS, paint_layer } from "./layers.js";

const MAX_ZOOM = 16;

/* viewer({data, classes, state, signal, on_pixel}): state = {mode, layer, opacity, hidden} is the
 * caller's; redraw() after changing it, rebuild() after changing mode or layer. */
export function viewer({ data, classes, state, signal, on_pixel }) {
	const { photo, layer } = data;
	const node = h("div.panels");
	const painted = new Map(); /* layer key -> canvas, for the present hidden set */
	const view = { zoom: 1, x: 0.5, y: 0.5 }; /* centre in shares of the photo */
	let panels = [],
		hover = null,
		frame = 0,
		drag = null;

	function paint(key) {
		if (!painted.has(key)) {
			const kind = LAYERS.find((l) => l.key === key).kind;
			painted.set(key, paint_layer(layer[key], kind, classes, state.hidden));
		}
		return painted.get(key);
	}
	/* Photo pixels to canvas pixels: scale and offsets, the same in every panel of a size. */
	function transform(canvas) {
		const scale = (canvas.width / photo.width) * view.zoom;
		const free_x = canvas.width - photo.width * scale,
			free_y = canvas.height - photo.height * scale;
		const clamp = (v, free) => Math.min(0, Math.max(free, v));
		return {
			scale,
			x: clamp(canvas.width / 2 - view.x * photo.width * scale, free_x),
			y: clamp(canvas.height / 2 - view.y * photo.height * scale, free_y),
		};
	}
	function draw_panel({ canvas, key, opacity }) {
		const ctx = canvas.getContext("2d");
		const t = transform(canvas);
		ctx.setTransform(1, 0, 0, 1, 0, 0);
		ctx.clearRect(0, 0, canvas.width, canvas.height);
		ctx.setTransform(t.scale, 0, 0, t.scale, t.x, t.y);
		ctx.imageSmoothingEnabled = t.scale < 2;
		ctx.drawImage(photo, 0, 0);
		if (key && layer[key]) {
			ctx.imageSmoothingEnabled = false;
			ctx.globalAlpha = opacity ?? state.opacity;
			ctx.drawImage(paint(key), 0, 0, photo.width, photo.height);
			ctx.globalAlpha = 1;
		}
		if (hover && panels.length > 1) crosshair(ctx, t.scale);
	}
	function crosshair(ctx, scale) {
		ctx.lineWidth = 1.5 / scale;
		ctx.strokeStyle = css("--accent");
		ctx.beginPath();
		ctx.arc(hover.x + 0.5, hover.y + 0.5, 7 / scale, 0, 2 * Math.PI);
		ctx.stroke();
	}
	function redraw() {
		if (!frame)
			frame = requestAnimationFrame(() => {
				frame = 0;
				panels.forEach(draw_panel);
			});
	}
	function repaint() {
		painted.clear();
		redraw();
	}
	function photo_pixel(canvas, event) {
		const box = canvas.getBoundingClientRect();
		const t = transform(canvas);
		const x = Math.floor(((event.clientX - box.left) * (canvas.width / box.width) - t.x) / t.scale);
		const y = Math.floor(((event.clientY - box.top) * (canvas.height / box.height) - t.y) / t.scale);
		return x >= 0 && y >= 0 && x < photo.width && y < photo.height ? { x, y } : null;
	}
	function zoom_by(factor) {
		view.zoom = Math.min(MAX_ZOOM, Math.max(1, view.zoom * factor));
		if (view.zoom === 1) view.x = view.y = 0.5;
		redraw();
	}
	function move(canvas, event) {
		if (drag) {
			const box = canvas.getBoundingClientRect();
			const clamp = (v) => Math.min(1 - 0.5 / view.zoom, Math.max(0.5 / view.zoom, v));
			view.x = clamp(drag.x - (event.clientX - drag.at_x) / (box.width * view.zoom));
			view.y = clamp(drag.y - (event.clientY - drag.at_y) / (box.height * view.zoom));
		}
		hover = photo_pixel(canvas, event);
		on_pixel(hover);
		redraw();
	}
	function panel(key, title, opacity) {
		const canvas = h("canvas", { role: "img", "aria-label": title });
		const missing = key && !layer[key];
		canvas.addEventListener("pointermove", (e) => move(canvas, e));
		canvas.addEventListener("pointerleave", () => {
			hover = null;
			on_pixel(null);
			redraw();
		});
		canvas.addEventListener("pointerdown", (e) => {
			if (view.zoom > 1) {
				canvas.setPointerCapture(e.pointerId);
				drag = { at_x: e.clientX, at_y: e.clientY, x: view.x, y: view.y };
			}
		});
		canvas.addEventListener("pointerup", () => {
			drag = null;
		});
		canvas.addEventListener(
			"wheel",
			(e) => {
				if (!e.ctrlKey && !e.metaKey) return;
				e.preventDefault();
				zoom_by(e.deltaY < 0 ? 1.2 : 1 / 1.2);
			},
			{ passive: false },
		);
		panels.push({ canvas, key, opacity });
		return h("figure.panel", h("figcaption", title, missing ? " (not kept for this round)" : ""), canvas);
	}
	function resize() {
		for (const { canvas } of panels) {
			const width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
			const height = Math.round((width * photo.height) / photo.width);
			if (canvas.width !== width || canvas.height !== height) {
				canvas.width = width;
				canvas.height = height;
			}
		}
		redraw();
	}
	function rebuild() {
		panels = [];
		const chosen = LAYERS.find((l) => l.key === state.layer);
		node.className = `panels ${state.mode}`;
		if (state.mode === "all")
			replace(
				node,
				panel(null, "Photo"),
				LAYERS.map((l) => panel(l.key, l.name)),
			);
		else if (state.mode === "pair") replace(node, panel(null, "Photo"), panel(chosen.key, chosen.name));
		else replace(node, panel(chosen.key, `${chosen.name} over the photo`));
		for (const { canvas } of panels)
			canvas.style.setProperty("aspect-ratio", `${photo.width} / ${photo.height}`);
		resize();
	}
	const observer = new ResizeObserver(resize);
	observer.observe(node);
	signal.addEventListener("abort", () => observer.disconnect(), { once: true });
	rebuild();
	return { node, redraw, repaint, rebuild, zoom_by, fit: () => zoom_by(1 / MAX_ZOOM) };
}
