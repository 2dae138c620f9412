/* features_view: images of both domains in the plane, by what the network before or after a round's training sees in
 * them: near ones look alike to it. The daemon computes the places when asked (t-SNE). */

import { get, picture } from "./api.js";
import { h, replace, svg } from "./dom.js";
import { fixed, number } from "./format.js";
import { href } from "./router.js";
import { problem_box } from "./widgets.js";

const WIDTH = 720,
	HEIGHT = 440,
	MARGIN = 12,
	SIZE = 4.5;
/* Form and colour both tell the domains apart. */
const DOMAINS = {
	source: "source, labelled",
	easy: "target, easy",
	hard: "target, hard",
};

const NETWORKS = {
	before: "before this round's training",
	after: "after it",
};

const kept = new Map(); /* "run/round/network" -> promise: such a picture never changes */
const key_of = (run_id, round, network) => `${run_id}/${round}/${network}`;

function load(run_id, round, network) {
	const key = key_of(run_id, round, network);
	if (!kept.has(key)) {
		/* Not ended with the page: the daemon goes on and keeps the picture. */
		const promise = get(`/runs/${run_id}/rounds/${round}/features`, { network });
		kept.set(key, promise);
		promise.catch(() => kept.delete(key));
	}
	return kept.get(key);
}

/* Ring, dot or triangle. */
function mark(domain, x, y) {
	if (domain === "hard") {
		const s = SIZE * 1.15;
		return svg("path", {
			d: `M${x} ${y - s}L${x + s} ${y + 0.8 * s}L${x - s} ${y + 0.8 * s}Z`,
			class: `mark ${domain}`,
		});
	}
	return svg("circle", { cx: x, cy: y, r: domain === "source" ? SIZE - 1 : SIZE, class: `mark ${domain}` });
}

/* Into the drawing with the same scale in both directions: only distances mean something. */
export function placed(points) {
	const range = (key) => {
		const v = points.map((p) => p[key]);
		return [Math.min(...v), Math.max(...v)];
	};
	const [left, right] = range("x"),
		[low, high] = range("y");
	const scale = Math.min(
		(WIDTH - 2 * MARGIN) / (right - left || 1),
		(HEIGHT - 2 * MARGIN) / (high - low || 1),
	);
	return points.map((p) => ({
		...p,
		px: WIDTH / 2 + scale * (p.x - (left + right) / 2),
		py: HEIGHT / 2 - scale * (p.y - (low + high) / 2),
	}));
}

function legend(points) {
	return h(
		"ul.legend-row",
		{ "aria-label": "what the marks mean" },
		Object.entries(DOMAINS).map(([domain, text]) =>
			h(
				"li",
				svg(
					"svg",
					{ viewBox: "-7 -7 14 14", class: "mark-sample", "aria-hidden": "true" },
					mark(domain, 0, 0),
				),
				`${text}: ${number(points.filter((p) => p.domain === domain).length)}`,
			),
		),
	);
}

/* The image under the pointer. */
function looking_glass(run) {
	const img = h("img.thumb", { alt: "", hidden: true });
	const text = h("p.muted", "Point at a mark to see its image.");
	let wanted = null;
	function show(p) {
		const path =
			p.domain === "source"
				? `/datasets/${run.source_id}/images/${p.image}/thumb.png`
				: `/runs/${run.id}/images/${p.image}/thumb.png`;
		if (path === wanted) return;
		wanted = path;
		replace(text, h("b", p.name), ` ${DOMAINS[p.domain]}`);
		picture(path).then(
			(url) => {
				if (path !== wanted) return;
				img.src = url;
				img.hidden = false;
			},
			() => {
				if (path === wanted) img.hidden = true;
			},
		);
	}
	return { node: h("div.glass", text, img), show };
}

function drawing(run, round, features) {
	const glass = looking_glass(run);
	const points = placed(features.points);
	const shape = (p) => {
		const text = `${p.name}: ${DOMAINS[p.domain]}`;
		const inner = [svg("title", null, text), mark(p.domain, p.px, p.py)];
		const props = { onpointerenter: () => glass.show(p) };
		/* Not in the tab order: the list below leads to the same pages. */
		return p.domain === "source"
			? svg("g", props, inner)
			: svg(
					"a",
					{
						...props,
						href: href(`/runs/${run.id}/images/${p.image}`, { round }),
						tabindex: -1,
						"aria-label": text,
					},
					inner,
				);
	};
	/* Source first: the target's images lie on top. */
	const order = Object.keys(DOMAINS).flatMap((d) => points.filter((p) => p.domain === d));
	return h(
		"div.feature-map",
		svg(
			"svg",
			{
				viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
				role: "group",
				"aria-label": `${number(points.length)} images by what the network sees in them`,
			},
			order.map(shape),
		),
		glass.node,
	);
}

function some(what, { shown, of }) {
	return shown < of
		? `${number(shown)} of ${number(of)} ${what} images, evenly spread`
		: `all ${number(of)} ${what} images`;
}

function sentence(f) {
	return (
		`${some("source", f.source)}; ${some("target", f.target)}. t-SNE of what goes into the head, averaged over each image: ` +
		`perplexity ${fixed(f.perplexity, 1)}, KL divergence ${fixed(f.kl, 2)}.`
	);
}

export function features_view(run, round) {
	const body = h("div"),
		tools = h("div.tools");
	const button = h("button", { id: "show-features", onclick: () => show("after") }, "Show features");

	function choice(network) {
		return h(
			"div.segmented",
			{ role: "group", "aria-label": "features of the network" },
			Object.entries(NETWORKS).map(([value, text]) =>
				h(
					"button.small",
					{
						id: `features-${value}`,
						"aria-pressed": String(value === network),
						onclick: () => value === network || show(value),
					},
					text,
				),
			),
		);
	}

	let wanted = null;
	async function show(network) {
		wanted = network;
		button.disabled = true;
		replace(
			body,
			h(
				"p.muted",
				{ role: "status" },
				"The daemon looks at the images: seconds to minutes the first time (longer for a large network), at once afterwards.",
			),
		);
		try {
			const features = await load(run.id, round, network);
			if (wanted !== network) return;
			replace(tools, legend(features.points), choice(network));
			replace(
				body,
				drawing(run, round, features),
				h("p.muted", sentence(features)),
				h(
					"p.muted",
					`Images that lie close together look alike to the network ${network === "before" ? "that ranked them, before this round's training" : "after this round"}; directions and the gaps between groups mean little. `,
					"Where easy target images lie among the source's, the network treats both domains alike; hard ones that lie apart are what phase 2 is to draw towards the easy ones.",
				),
			);
		} catch (e) {
			if (wanted !== network) return;
			button.disabled = false;
			replace(tools, button, choice(null));
			replace(body, problem_box(e));
		}
	}

	replace(tools, button);
	replace(
		body,
		h(
			"p.muted",
			"Source, easy and hard target images as points: near ones look alike to the network that this round has trained.",
		),
	);
	if (kept.has(key_of(run.id, round, "after"))) show("after");
	return h("section.card", h("div.card-head", h("h2", "Features of the images"), tools), body);
}
