/* layers: the pictures of one image in one round: loading, counting, and painting them as colours. */

import { bytes } from "./api.js";
import { css } from "./charts.js";
import { read_indexed } from "./png.js";
import { ORIGINS } from "./widgets.js";

export const UNLABELLED = 255;

/* key, name, what it shows; kind decides how an index becomes a colour. */
export const LAYERS = [
	{
		key: "prediction",
		name: "Prediction",
		kind: "class",
		text: "the network's most probable class of every pixel",
	},
	{
		key: "pseudo_confident",
		name: "Confident",
		kind: "class",
		text: "sparse labels: only where the probability is above the class threshold",
	},
	{
		key: "pseudo_voted",
		name: "Voted",
		kind: "class",
		text: "after the sliding-window vote: confident neighbours fill gaps",
	},
	{ key: "pseudo_final", name: "Final", kind: "class", text: "the labels that the round trains with" },
	{ key: "origin", name: "Origin", kind: "origin", text: "where each final label comes from" },
	{
		key: "confidence",
		name: "Confidence",
		kind: "grey",
		text: "the largest class probability, dark is low",
	},
];

/* The index of an origin picture -> ORIGINS. */
const ORIGIN_OF_INDEX = ["ignored", "confident", "voted", "soft"];
export function origin_name(index) {
	return ORIGIN_OF_INDEX[index] || "ignored";
}

/* {photo: ImageBitmap, layer: {key: {width, height, index} or null}}; a layer that was not kept is
 * null. */
export async function load_layers(run_id, round, image_id, signal) {
	const base = `/runs/${run_id}/rounds/${round}/images/${image_id}`;
	const photo = bytes(`${base}/image.png`, signal).then((data) => createImageBitmap(new Blob([data])));
	const layers = await Promise.all(
		LAYERS.map(async ({ key }) => {
			try {
				return [key, await read_indexed(await bytes(`${base}/${key}.png`, signal))];
			} catch (e) {
				if (e.status === 404) return [key, null];
				throw e;
			}
		}),
	);
	return { photo: await photo, layer: Object.fromEntries(layers) };
}

/* Pixels of every index value. */
export function count_index(layer) {
	const counts = new Uint32Array(256);
	if (layer) for (let i = 0; i < layer.index.length; i++) counts[layer.index[i]]++;
	return counts;
}

function parse_css(color) {
	const m = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
	return m ? m.slice(1).map((x) => parseInt(x, 16)) : [0, 0, 0];
}

/* A dark-to-bright ramp (violet, teal, yellow) whose lightness grows evenly. */
const RAMP = [
	[68, 1, 84],
	[59, 82, 139],
	[33, 145, 140],
	[94, 201, 98],
	[253, 231, 37],
];
export function ramp(share) {
	const x = Math.min(0.9999, Math.max(0, share)) * (RAMP.length - 1);
	const i = Math.floor(x),
		f = x - i;
	return RAMP[i].map((v, c) => Math.round(v + f * (RAMP[i + 1][c] - v)));
}

/* RGBA of every index value as one Uint32 each (little endian as ImageData is). */
function colors_of(kind, classes, hidden) {
	const table = new Uint32Array(256);
	const put = (i, [r, g, b]) => {
		table[i] = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
	};
	if (kind === "grey") {
		for (let i = 0; i < 256; i++) put(i, ramp(i / 255));
	} else if (kind === "origin") {
		for (const origin of ORIGINS)
			if (origin !== "ignored") put(ORIGIN_OF_INDEX.indexOf(origin), parse_css(css(`--o-${origin}`)));
	} else {
		for (const c of classes) if (!hidden.has(c.id)) put(c.id, c.color);
	}
	return table;
}

/* A canvas of the layer's own size; transparent where there is no label or the class is hidden. */
export function paint_layer(layer, kind, classes, hidden) {
	const canvas = document.createElement("canvas");
	canvas.width = layer.width;
	canvas.height = layer.height;
	const image = new ImageData(layer.width, layer.height);
	const out = new Uint32Array(image.data.buffer);
	const table = colors_of(kind, classes, hidden);
	for (let i = 0; i < out.length; i++) out[i] = table[layer.index[i]];
	canvas.getContext("2d").putImageData(image, 0, 0);
	return canvas;
}
