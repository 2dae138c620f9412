/* image_list: the filter of the image browser, and the order of all images under it. */

import { get_all } from "./api.js";

export const FILTER_KEYS = ["round", "split", "sort", "class"];
const MAX_IMAGES = 20000;

/* The part of a page's query that decides which images there are and in what order. */
export function filter_of(query) {
	const filter = {};
	for (const key of FILTER_KEYS)
		if (query[key] !== undefined && query[key] !== "") filter[key] = query[key];
	if (!filter.sort) filter.sort = "confidence";
	return filter;
}

const kept = new Map(); /* key -> promise, oldest first */
const KEPT_MAX = 6;

/* All images of a filter, in its order: for the histogram and for previous/next. A round's scores
 * never change, so the last few answers are kept. */
export function all_images(run_id, filter) {
	const key = JSON.stringify([run_id, FILTER_KEYS.map((k) => String(filter[k] ?? ""))]);
	if (!kept.has(key)) {
		const promise = get_all(`/runs/${run_id}/images`, filter, MAX_IMAGES);
		kept.set(key, promise);
		promise.catch(() => kept.delete(key));
		if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
	}
	return kept.get(key);
}

export function bins_of(values, count) {
	const low = Math.min(...values),
		high = Math.max(...values);
	const width = (high - low) / count || 1;
	const bins = Array.from({ length: count }, (_, i) => ({
		from: low + i * width,
		to: low + (i + 1) * width,
		easy: 0,
		hard: 0,
	}));
	return { low, high, width, bins, at: (v) => bins[Math.min(count - 1, Math.floor((v - low) / width))] };
}
