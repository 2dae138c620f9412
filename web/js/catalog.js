/* catalog: what changes seldom and many pages need: data sets, and from them a run's classes with
 * their colours. */

import { get, get_all, items_of } from "./api.js";

let datasets_promise = null;

export function datasets() {
	if (!datasets_promise) {
		datasets_promise = get_all("/datasets", {}, 5000).then((answer) => answer.items);
		datasets_promise.catch(forget);
	}
	return datasets_promise;
}

/* After a data set was added or removed, and at sign-out. */
export function forget() {
	datasets_promise = null;
}

/* A run names its data sets by name or by id. */
export function find_dataset(list, key) {
	return list.find((d) => d.name === key) || list.find((d) => String(d.id) === String(key)) || null;
}

/* [{id, name, color: [r, g, b]}] of a run's target, by train id. */
export async function run_classes(run) {
	const target = find_dataset(await datasets(), run.target_id ?? run.config.target);
	return target ? target.classes.map((c) => ({ ...c, color: rgb(c.color) })) : [];
}

/* Colours are [r, g, b]; "#rrggbb" is understood too. */
export function rgb(color) {
	if (Array.isArray(color)) return color;
	const m = /^#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color || "");
	return m ? m.slice(1).map((x) => parseInt(x, 16)) : [128, 128, 128];
}

export function css_color([r, g, b]) {
	return `rgb(${r}, ${g}, ${b})`;
}

/* A class colour that can be told from the page's background: dark ones are lifted on dark pages,
 * light ones lowered on light pages. For lines; areas use the true colour. */
export function line_color([r, g, b], dark) {
	const y = (0.299 * r + 0.587 * g + 0.114 * b) / 255;
	const mix = dark ? Math.max(0, 0.5 - y) : Math.max(0, y - 0.6);
	const to = dark ? 255 : 0;
	return css_color([r, g, b].map((v) => Math.round(v + (to - v) * Math.min(0.7, mix * 1.2))));
}

export async function class_sets() {
	return items_of(await get("/class-sets"));
}
export async function presets() {
	return items_of(await get("/presets"));
}
export async function weights() {
	return (await get_all("/weights", {}, 5000)).items;
}

export const ARCHS = [
	"deeplabv2-mobilenetv2",
	"deeplabv2-vgg16",
	"deeplabv2-resnet50",
	"deeplabv2-resnet101",
];
export const LAYOUTS = {
	folder: "images/ and labels/ with the same file stem; optional split sub-folder",
	camvid: "as folder, with CamVid's 11 classes",
	cityscapes: "leftImg8bit/SPLIT/CITY and gtFine/SPLIT/CITY",
	gta5: "images/ and labels/ (palette PNGs with label ids)",
	synthia: "RGB/ and GT/LABELS/ (16-bit PNGs)",
};
