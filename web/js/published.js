/* published: the papers' result tables, the row a run is compared with at first, and means over the classes
 * that a row and a run both have. */

import { request } from "./api.js";
import { find_dataset } from "./catalog.js";
import { is_number } from "./format.js";

export const PAIRS = {
	"gta5-to-cityscapes": "GTA5 to Cityscapes",
	"synthia-to-cityscapes": "SYNTHIA to Cityscapes",
};
const BACKBONES = { "deeplabv2-resnet101": "ResNet-101", "deeplabv2-vgg16": "VGG16" };
const FEWEST = 13; /* the smallest number of classes that mIoU is published for */

/* The tables are in per cent, a run's IoU are shares. */
function shares(table) {
	return Object.fromEntries(Object.entries(table).map(([k, v]) => [k, is_number(v) ? v / 100 : null]));
}

let tables_promise = null;

/* {measured_on, sources, classes: {"19": [name, ...], ...}, rows: [{id, pair, backbone, method, source, iou: {name:
 * share or null}, miou: {"19": share}, note}]} */
export function published_tables() {
	if (!tables_promise) {
		tables_promise = request("/published.json")
			.then((response) => response.json())
			.then((t) => ({
				...t,
				rows: t.rows.map((r) => ({ ...r, iou: shares(r.iou), miou: shares(r.miou) })),
			}));
		tables_promise.catch(() => {
			tables_promise = null;
		});
	}
	return tables_promise;
}

/* Whether a run with these class names can be compared: Cityscapes' 19, or SYNTHIA's 16 or 13 of them. */
export function fits(tables, names) {
	return tables.classes[FEWEST].every((name) => names.includes(name));
}

/* Which pair a run adapts, by its preset or by its data sets' layouts; null: neither. */
export function pair_of(run, sets) {
	const named = Object.keys(PAIRS).find((p) => (run.config.preset || "").startsWith(p));
	if (named) return named;
	const [source, measured] = ["source", "eval"].map((k) =>
		find_dataset(sets, run[`${k}_id`] ?? run.config[k]),
	);
	const pair = source && measured ? `${source.layout}-to-${measured.layout}` : null;
	return pair in PAIRS ? pair : null;
}

/* TPLD's row of the run's pair and backbone; of another backbone where there is none; null without a pair. */
export function default_row(tables, run, sets) {
	const pair = pair_of(run, sets);
	const rows = tables.rows.filter((r) => r.pair === pair && r.method === "TPLD");
	return rows.find((r) => r.backbone === BACKBONES[run.config.model.arch]) || rows[0] || null;
}

/* In what a run's setting differs from a row's: then a difference says less. */
export function other_setting(tables, row, run, sets) {
	const list = [];
	if (pair_of(run, sets) !== row.pair) list.push(`the run does not adapt ${PAIRS[row.pair]}`);
	const measured = find_dataset(sets, run.eval_id ?? run.config.eval);
	if (!measured || measured.layout !== "cityscapes" || measured.split !== "val")
		list.push(
			`it is measured on ${measured ? measured.name : run.config.eval}, the row on ${tables.measured_on}`,
		);
	const { arch } = run.config.model;
	if (BACKBONES[arch] !== row.backbone) list.push(`it has ${arch}, the row ${row.backbone}`);
	return list;
}

function mean(values) {
	return values.reduce((a, b) => a + b, 0) / values.length;
}

/* Means of a row and of a run's IoU by class name, over all classes that both have, and over fewer where the
 * papers do so. printed: what they print for these classes; null where they print nothing. -> [{names, run,
 * published, printed}], empty when no class is in both. */
export function means(tables, row, iou) {
	const both = Object.keys(row.iou).filter((n) => is_number(row.iou[n]) && is_number(iou[n]));
	if (!both.length) return [];
	const counted = Object.keys(row.miou)
		.map((count) => tables.classes[count])
		.filter((names) => names.every((n) => both.includes(n)))
		.sort((a, b) => b.length - a.length);
	const lists = counted.some((names) => names.length === both.length) ? counted : [both, ...counted];
	return lists.map((names) => ({
		names,
		run: mean(names.map((n) => iou[n])),
		published: mean(names.map((n) => row.iou[n])),
		printed: counted.includes(names) ? row.miou[names.length] : null,
	}));
}
