/* histogram: confidence of all images of a round, with the line between easy and hard. */

import { h, svg } from "./dom.js";
import { fixed, number, percent } from "./format.js";
import { bins_of } from "./image_list.js";

const WIDTH = 720,
	HEIGHT = 120,
	BINS = 48;

/* The line lies between the least confident easy and the most confident hard image. */
export function easy_line(images) {
	const of = (split) => images.filter((i) => i.split === split).map((i) => i.confidence);
	const easy = of("easy"),
		hard = of("hard");
	if (!easy.length || !hard.length) return null;
	return (Math.min(...easy) + Math.max(...hard)) / 2;
}

export function histogram(images) {
	if (!images.length) return h("p.muted", "No images.");
	const hist = bins_of(
		images.map((i) => i.confidence),
		BINS,
	);
	for (const i of images) hist.at(i.confidence)[i.split]++;
	const top = Math.max(...hist.bins.map((b) => b.easy + b.hard));
	const w = WIDTH / BINS;
	const bar = (b, i) => {
		const hard = (b.hard / top) * (HEIGHT - 10),
			easy = (b.easy / top) * (HEIGHT - 10);
		return svg(
			"g",
			null,
			svg(
				"title",
				null,
				`confidence ${fixed(b.from)} to ${fixed(b.to)}: ${b.easy} easy, ${b.hard} hard`,
			),
			svg("rect", { x: i * w, y: 0, width: w, height: HEIGHT, fill: "transparent" }),
			svg("rect", { x: i * w + 0.5, y: HEIGHT - hard, width: w - 1, height: hard, class: "bar-hard" }),
			svg("rect", {
				x: i * w + 0.5,
				y: HEIGHT - hard - easy,
				width: w - 1,
				height: easy,
				class: "bar-easy",
			}),
		);
	};
	const line = easy_line(images);
	const share = (v) => (v - hist.low) / (hist.high - hist.low || 1);
	const easy_count = images.filter((i) => i.split === "easy").length;
	const text = `${number(easy_count)} easy (${percent(easy_count / images.length, 0)} %), ${number(images.length - easy_count)} hard`;
	/* The bars stretch with the page, the words do not: they lie over the drawing. */
	const mark =
		line === null
			? null
			: h(
					"span",
					{
						class: `split-mark${share(line) > 0.75 ? " left" : ""}`,
						style: { left: `${100 * share(line)}%` },
					},
					h("b", `hard | easy at ${fixed(line)}`),
				);
	return h(
		"figure.histogram",
		h(
			"div.bars",
			svg(
				"svg",
				{
					viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
					preserveAspectRatio: "none",
					role: "img",
					"aria-label": `histogram of image confidence: ${text}`,
				},
				hist.bins.map(bar),
			),
			mark,
		),
		h(
			"figcaption",
			h("span", fixed(hist.low, 2)),
			h("span", "image confidence"),
			h("span", fixed(hist.high, 2)),
		),
	);
}
