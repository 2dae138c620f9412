/* image: one target image in one round: overlays, legend, why it is easy or hard, its history. */

import { get, items_of } from "../api.js";
import { run_classes } from "../catalog.js";
import { h, replace } from "../dom.js";
import { number } from "../format.js";
import { all_images, filter_of } from "../image_list.js";
import { history_card, legend_table, origin_table, why_box } from "../image_explain.js";
import { LAYERS, load_layers } from "../layers.js";
import { go, href, set_query } from "../router.js";
import { viewer } from "../viewer.js";
import { pixel_text, tools, view_state } from "../viewer_tools.js";
import { arrow, select } from "../widgets.js";

/* Confidence where easy begins, in every round of the history. */
async function easy_bounds(run_id, rounds, signal) {
	const found = await Promise.all(
		rounds.map(async (round) => {
			const page = await get(
				`/runs/${run_id}/images`,
				{ round, split: "easy", sort: "confidence", limit: 1 },
				signal,
			);
			return [round, page.items.length ? page.items[0].confidence : null];
		}),
	);
	return new Map(found);
}

function neighbours(list, id) {
	const at = list.findIndex((i) => String(i.id) === String(id));
	return {
		at,
		before: at > 0 ? list[at - 1] : null,
		after: at >= 0 && at + 1 < list.length ? list[at + 1] : null,
	};
}

function step_link(item, text, direction, to) {
	const content = direction < 0 ? [arrow(-1), text] : [text, arrow(1)];
	return item
		? h(
				"a.button",
				{
					href: to(item),
					id: direction < 0 ? "image-prev" : "image-next",
					title: `${item.name} (arrow key)`,
				},
				content,
			)
		: h("button", { disabled: true }, content);
}

function keyboard(signal, handlers) {
	document.addEventListener(
		"keydown",
		(e) => {
			if (
				e.ctrlKey ||
				e.metaKey ||
				e.altKey ||
				/^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) ||
				document.querySelector("dialog[open]")
			)
				return;
			const f = handlers[e.key];
			if (f) {
				e.preventDefault();
				f();
			}
		},
		{ signal },
	);
}

export async function image_page(ctx) {
	const { id, image } = ctx.params;
	const [run, round_list, answer] = await Promise.all([
		get(`/runs/${id}`, null, ctx.signal),
		get(`/runs/${id}/rounds`, null, ctx.signal),
		get(`/runs/${id}/images/${image}`, null, ctx.signal),
	]);
	const rounds = items_of(round_list);
	const history = answer.history;
	if (!history.length) return h("p.note", "This image has not been scored yet.");
	const wanted = Number(ctx.query.round);
	const round_no =
		ctx.query.round !== undefined && history.some((e) => e.round === wanted)
			? wanted
			: history[history.length - 1].round;
	const filter = filter_of({ ...ctx.query, round: String(round_no) });
	const [classes, data, list, bounds] = await Promise.all([
		run_classes(run),
		load_layers(id, round_no, image, ctx.signal),
		all_images(id, filter),
		easy_bounds(
			id,
			history.map((e) => e.round),
			ctx.signal,
		),
	]);
	const round = rounds.find((r) => r.round === round_no);
	const entry = history.find((e) => e.round === round_no);
	document.title = `${answer.name} · ${run.name}`;

	const state = view_state(ctx.query);
	const readout = h("p.readout", { role: "status" }, pixel_text(null));
	const view = viewer({
		data,
		classes,
		state,
		signal: ctx.signal,
		on_pixel: (p) => {
			readout.textContent = pixel_text(p, data, classes);
		},
	});
	const legend = h("section.card");
	function toggle(ids, show) {
		ids.forEach((k) => (show ? state.hidden.delete(k) : state.hidden.add(k)));
		set_query({ hide: [...state.hidden].join(".") });
		view.repaint();
		draw_legend();
	}
	function draw_legend() {
		const chosen = LAYERS.find((l) => l.key === state.layer);
		const counted =
			chosen.kind === "class" && data.layer[chosen.key]
				? chosen
				: LAYERS.find((l) => l.key === "prediction");
		const focus =
			document.activeElement && document.activeElement.dataset
				? document.activeElement.dataset.class
				: undefined;
		replace(
			legend,
			h("div.card-head", h("h2", "Classes"), h("div.tools", `area in: ${counted.name.toLowerCase()}`)),
			chosen.kind === "origin" && data.layer.origin ? origin_table(data.layer.origin) : null,
			legend_table({ layer: data.layer[counted.key], entry, round, classes, state, on_toggle: toggle }),
		);
		const again = focus !== undefined && legend.querySelector(`input[data-class="${focus}"]`);
		if (again) again.focus();
	}
	const bar = tools(state, view, draw_legend);
	draw_legend();

	const to = (item) => href(`/runs/${id}/images/${item.id}`, { ...ctx.query, round: round_no });
	const near = neighbours(list.items, image);
	const step = (item) => () =>
		item && go(`/runs/${id}/images/${item.id}`, { ...ctx.query, round: round_no });
	keyboard(ctx.signal, {
		ArrowLeft: step(near.before),
		ArrowRight: step(near.after),
		"+": () => view.zoom_by(1.5),
		"-": () => view.zoom_by(1 / 1.5),
		0: () => view.fit(),
		...Object.fromEntries(LAYERS.map((l, i) => [String(i + 1), () => bar.choose({ layer: l.key })])),
	});
	const where =
		near.at < 0
			? "not in this filter"
			: `${number(near.at + 1)} of ${number(list.items.length)}${filter.split ? ` ${filter.split}` : ""}`;
	const colours = new Set(classes.map((c) => c.color.join()));
	return h(
		"div.image-page",
		h(
			"p.crumb",
			h("a", { href: "#/runs" }, "Runs"),
			" / ",
			h("a", { href: href(`/runs/${id}`) }, run.name),
			" / ",
			h("a", { href: href(`/runs/${id}/images`, filter) }, "Images"),
		),
		h(
			"div.head",
			h("h1", answer.name),
			h("span", { class: `chip ${entry.split}` }, entry.split),
			h(
				"label.inline",
				"Round",
				select(
					{
						id: "image-round",
						onchange: (e) => go(ctx.path, { ...ctx.query, round: e.target.value }),
					},
					history.map((e) => e.round),
					round_no,
				),
			),
			h(
				"div.buttons",
				h("span.muted", where),
				step_link(near.before, "Previous", -1, to),
				step_link(near.after, "Next", 1, to),
			),
		),
		bar.node,
		h(
			"div.image-columns",
			h(
				"div",
				view.node,
				readout,
				bar.text,
				colours.size < classes.length
					? h("p.muted", "Some classes of this set share a colour; the read-out tells them apart.")
					: null,
				history_card(history, bounds, id, image, { ...ctx.query, round: round_no }, ctx.signal),
			),
			h("aside", why_box(entry, round, classes, round ? round.easy + round.hard : null), legend),
		),
	);
}
