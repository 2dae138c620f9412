/* stages: the fixed list of a run's stages, as the daemon goes through them, and its picture. */

import { h } from "./dom.js";
import { is_source, phase_name, round_name } from "./format.js";

/* [{phase, round}], round null for the source model. A run's `stage` is an index in it. */
export function stages_of(config) {
	const self = config.self_training || {};
	const phase1 = self.phase1_rounds || 0,
		rounds = phase1 + (self.phase2_rounds || 0);
	const every = (config.evaluation && config.evaluation.every_rounds) || 1;
	const list = [{ phase: "source_training", round: null }];
	const judge = () => config.eval && list.push({ phase: "evaluation", round: null });
	judge();
	for (const [on, phase] of [
		[config.entropy_training, "entropy_training"],
		[self.norm_alignment, "norm_alignment"],
	])
		if (on) {
			list.push({ phase, round: null });
			judge();
		}
	for (let r = 0; r < rounds; r++) {
		list.push({ phase: "scoring", round: r });
		list.push({ phase: r < phase1 ? "phase1_training" : "phase2_training", round: r });
		if (config.eval && ((r + 1) % every === 0 || r === rounds - 1))
			list.push({ phase: "evaluation", round: r });
	}
	return list;
}

function same_round(a, b) {
	return is_source(a) ? is_source(b) : a === b;
}

const SHORT = {
	source_training: "train",
	entropy_training: "train",
	norm_alignment: "align",
	scoring: "score",
	phase1_training: "train",
	phase2_training: "train",
	evaluation: "eval",
};

const STATE_TEXT = { done: "done", now: "under way", todo: "to do", skipped: "left out" };

export function timeline(run) {
	const list = stages_of(run.config);
	const now = run.stage;
	const ended = run.state === "completed"; /* perhaps before its last stage */
	const groups = [];
	list.forEach((stage, i) => {
		const last = groups[groups.length - 1];
		if (!last || !same_round(last.round, stage.round))
			groups.push({ round: stage.round, cells: [], kind: "source" });
		const group = groups[groups.length - 1];
		if (stage.phase.endsWith("training")) group.kind = stage.phase;
		const done = i < now || (ended && i === now);
		const state = done ? "done" : ended ? "skipped" : i === now ? "now" : "todo";
		const share = done ? 1 : i === now && run.steps_total ? run.step / run.steps_total : 0;
		group.cells.push(
			h(
				"span",
				{
					class: `stage ${state} ${stage.phase}`,
					title: `${round_name(stage.round)}: ${phase_name(stage.phase)}, ${STATE_TEXT[state]}`,
				},
				h("i", { style: { width: `${100 * share}%` } }),
				h("b", SHORT[stage.phase]),
			),
		);
	});
	return h(
		"div.timeline",
		{ role: "img", "aria-label": `stage ${Math.min(now + 1, list.length)} of ${list.length}` },
		groups.map((g) =>
			h(
				"div.stage-group",
				h("div.cells", g.cells),
				h(
					"div.stage-label",
					is_source(g.round) ? "source model" : `round ${g.round}`,
					g.kind === "phase2_training"
						? h("em", "phase 2")
						: g.kind === "phase1_training"
							? h("em", "phase 1")
							: null,
				),
			),
		),
	);
}
