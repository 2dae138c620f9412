/* images: the target images of one round as thumbnails with confidence and verdict; filter, sort, pages. */

import { get, items_of, picture } from "../api.js";
import { run_classes } from "../catalog.js";
import { h, replace } from "../dom.js";
import { features_view } from "../features_view.js";
import { fixed, number, percent } from "../format.js";
import { histogram } from "../histogram.js";
import { all_images, filter_of } from "../image_list.js";
import { go, href } from "../router.js";
import { run_shell } from "../run_shell.js";
import { arrow, covered, select, verdict_chip } from "../widgets.js";

const PAGE = 60;
const SORTS = [
	["confidence", "least confident first"],
	["-confidence", "most confident first"],
	["name", "name"],
];

/* Thumbnails are fetched when they come near the window. */
function lazy_loader(signal) {
	const observer = new IntersectionObserver(
		(entries) => {
			for (const entry of entries) {
				if (!entry.isIntersecting) continue;
				const img = entry.target;
				observer.unobserve(img);
				picture(img.dataset.path).then(
					(url) => {
						img.src = url;
					},
					() => img.classList.add("broken"),
				);
			}
		},
		{ rootMargin: "300px" },
	);
	signal.addEventListener("abort", () => observer.disconnect(), { once: true });
	return observer;
}

function card(run_id, item, scale, query, loader) {
	const img = h("img.thumb", { alt: "", data: { path: `/runs/${run_id}/images/${item.id}/thumb.png` } });
	loader.observe(img);
	const text = `${item.name}, ${item.split}, confidence ${fixed(item.confidence)}`;
	return h(
		"a.image-card",
		{ href: href(`/runs/${run_id}/images/${item.id}`, query), "aria-label": text, title: text },
		img,
		h("span.image-name", item.name),
		h(
			"span.image-meta",
			verdict_chip(item.split),
			h("b.num", fixed(item.confidence)),
			h("span.muted", `#${item.rank + 1}`),
			h(
				"span.muted.labelled",
				{ title: "share of its pixels with a label" },
				`${percent(covered(item.coverage), 0)} % labelled`,
			),
		),
		h(
			"span",
			{ class: `meter ${item.split}`, "aria-hidden": "true" },
			h("i", { style: { width: `${Math.min(100, (100 * item.confidence) / scale)}%` } }),
		),
	);
}

function toolbar(ctx, rounds, filter, classes) {
	const change = (changes) => go(ctx.path, { ...filter, ...changes });
	const split = filter.split || "";
	return h(
		"div.filters",
		h(
			"label.inline",
			"Round",
			select(
				{ id: "f-round", onchange: (e) => change({ round: e.target.value }) },
				rounds.map((r) => [
					r.round,
					`${r.round}${r.phase === "phase2_training" ? " (phase 2)" : ""}`,
				]),
				filter.round,
			),
		),
		h(
			"div.segmented",
			{ role: "group", "aria-label": "easy or hard" },
			[
				["", "all"],
				["easy", "easy"],
				["hard", "hard"],
			].map(([value, text]) =>
				h(
					"button",
					{
						id: `f-split-${value || "all"}`,
						"aria-pressed": String(split === value),
						onclick: () => change({ split: value }),
					},
					text,
				),
			),
		),
		h(
			"label.inline",
			"Sort",
			select({ id: "f-sort", onchange: (e) => change({ sort: e.target.value }) }, SORTS, filter.sort),
		),
		h(
			"label.inline",
			"With class",
			select(
				{ id: "f-class", onchange: (e) => change({ class: e.target.value }) },
				[["", "any"], ...classes.map((c) => [c.id, c.name])],
				filter.class,
			),
		),
	);
}

/* Cursors of the pages before, in the URL, so that "previous" works after sharing a link. */
function pager(ctx, filter, page, where) {
	const shown_before = PAGE * (ctx.query.trail || "").split("~").filter(Boolean).length;
	const trail = (ctx.query.trail || "").split("~").filter(Boolean);
	const from = page.total ? shown_before + 1 : 0;
	const back = () => {
		const before = trail.slice(0, -1);
		return href(ctx.path, { ...filter, trail: before.join("~") });
	};
	const next = page.next_cursor
		? href(ctx.path, { ...filter, trail: [...trail, page.next_cursor].join("~") })
		: null;
	return h(
		"div.pager",
		h(
			"span.muted",
			{ id: `count-${where}` },
			`${number(from)}–${number(shown_before + page.items.length)} of ${number(page.total)} images`,
		),
		trail.length
			? h("a.button", { href: back(), rel: "prev", id: `prev-${where}` }, arrow(-1), "Previous")
			: h("button", { disabled: true }, arrow(-1), "Previous"),
		next
			? h("a.button", { href: next, rel: "next", id: `next-${where}` }, "Next", arrow(1))
			: h("button", { disabled: true }, "Next", arrow(1)),
	);
}

export async function images_page(ctx) {
	const shell = await run_shell(ctx, "/images");
	const id = ctx.params.id;
	const rounds = items_of(await get(`/runs/${id}/rounds`, null, ctx.signal));
	if (!rounds.length) {
		shell.watch(async () => {
			const now = items_of(await get(`/runs/${id}/rounds`, null, ctx.signal));
			if (now.length && !ctx.signal.aborted) go(ctx.path);
		});
		shell.node.append(
			h(
				"p.note",
				"No image has been scored yet. The first round scores every target image: it predicts, sets thresholds, makes pseudo labels and ranks the images by confidence.",
			),
		);
		return shell.node;
	}
	const filter = filter_of(ctx.query);
	if (filter.round === undefined) filter.round = rounds[rounds.length - 1].round;
	const trail = (ctx.query.trail || "").split("~").filter(Boolean);
	const [page, classes] = await Promise.all([
		get(`/runs/${id}/images`, { ...filter, limit: PAGE, cursor: trail[trail.length - 1] }, ctx.signal),
		run_classes(shell.run),
	]);
	const loader = lazy_loader(ctx.signal);
	const scale = Math.max(...page.items.map((i) => i.confidence), 1e-9);
	const hist = h("div.histogram-box");
	/* The histogram counts every image, whatever the filter. */
	all_images(id, { round: filter.round, sort: "confidence" }).then(
		(all) => replace(hist, histogram(all.items)),
		() => {},
	);
	const round = rounds.find((r) => r.round === Number(filter.round));
	shell.node.append(
		toolbar(ctx, rounds, filter, classes),
		h(
			"section.card",
			h(
				"div.card-head",
				h("h2", `How well round ${filter.round} knows its images`),
				h(
					"div.tools",
					round
						? [verdict_chip("easy"), number(round.easy), verdict_chip("hard"), number(round.hard)]
						: null,
				),
			),
			hist,
			h(
				"p.muted",
				"Confidence of an image: the mean over its predicted classes of the share of pixels above the class threshold, divided by the threshold. ",
				"The most confident share of all images is easy: in phase 2 they get full labels. The rest is hard and is aligned to the easy ones.",
			),
		),
		round ? features_view(shell.run, round.round) : null,
		h("div.pager-top", pager(ctx, filter, page, "top")),
		page.items.length
			? h(
					"div.image-grid",
					page.items.map((i) => card(id, i, scale, filter, loader)),
				)
			: h("p.note", "No image matches this filter."),
		h("div.pager-bottom", page.items.length > 12 ? pager(ctx, filter, page, "bottom") : null),
	);
	return shell.node;
}
