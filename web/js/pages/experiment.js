/* experiment: one experiment: how far it is, its variants against the baseline, classes and runs. */

import { download, get, post, remove } from "../api.js";
import { class_differences } from "../class_differences.js";
import { cell_grid } from "../cell_grid.js";
import { dot_plot } from "../dot_plot.js";
import { h, replace, throttle } from "../dom.js";
import { subscribe } from "../events.js";
import { is_final } from "../experiment.js";
import { count, duration, is_number, number, percent, time } from "../format.js";
import { go, href, set_query } from "../router.js";
import { variant_table } from "../variant_table.js";
import { code_block, confirm_dialog, problem_box, progress_bar, state_pill } from "../widgets.js";

const CANCEL = {
	title: "Cancel this experiment for good?",
	action: "Cancel the experiment",
	danger: true,
	text: [
		"Its runs that wait or train are cancelled, and no more are started.",
		"Finished runs and what they measured are kept; the comparison stays, with fewer seeds.",
	],
};

/* The question of deleting carries a choice: what becomes of the runs. */
function delete_question(x) {
	const box = h("input", { type: "checkbox", id: "delete-runs" });
	return {
		with_runs: () => box.checked,
		title: "Delete this experiment?",
		action: "Delete",
		danger: true,
		text: [
			"The comparison is removed. Its runs stay in the list of runs unless you say otherwise:",
			h(
				"label.check",
				box,
				`delete its runs too (up to ${count(x.runs_total, "run")}), with metrics, pictures and checkpoints`,
			),
		],
	};
}

function words(x) {
	const done = `${number(x.runs_done)} of ${count(x.runs_total, "run")} done`;
	const grid = `${count(x.variants.length, "variant")} × ${count(x.seeds.length, "seed")}`;
	if (x.state === "completed") return `Finished: ${grid}, ${count(x.runs_total, "run")}.`;
	if (x.state === "failed") return `Finished with failed runs: ${grid}, ${done}.`;
	if (x.state === "cancelled") return `Cancelled: ${grid}, ${done}.`;
	const left = is_number(x.eta_seconds) ? `, about ${duration(x.eta_seconds)} left` : "";
	return `${grid}: ${done}${left}.`;
}

function overview(x) {
	return h(
		"section.card.now",
		h("p.sentence", words(x)),
		x.error ? h("div.problem", h("strong", "What went wrong"), h("p", x.error)) : null,
		h(
			"div.progress-line",
			progress_bar(x.progress, "progress of the experiment"),
			h("strong", `${percent(x.progress, 0)} %`),
		),
		h(
			"p.muted.facts-line",
			`Created ${time(x.created)}; seeds ${x.seeds.join(", ")}; baseline ${x.baseline}`,
			x.upper_bound ? `; upper bound ${x.upper_bound}.` : ".",
		),
	);
}

/* Runs of an experiment, so that only their events make the page read it again. */
function run_ids(x) {
	const ids = [...x.source_runs.map((r) => r.run), ...x.variants.flatMap((v) => v.cells.map((c) => c.run))];
	return new Set(ids.filter((id) => id !== null && id !== undefined).map(String));
}

export async function experiment_page(ctx) {
	const id = ctx.params.id;
	let x = await get(`/experiments/${id}`, null, ctx.signal);
	let shown = "",
		deleting = false; /* what is about to go is not read again */
	const trouble = h("div"),
		pill = h("span"),
		buttons = h("div.buttons"),
		body = h("div");

	async function attempt(action) {
		try {
			await action();
			replace(trouble);
		} catch (e) {
			replace(trouble, problem_box(e));
		}
	}
	async function cancel() {
		if (!(await confirm_dialog(CANCEL))) return;
		await attempt(() => post(`/experiments/${id}/cancel`));
		refresh();
	}
	async function discard() {
		const question = delete_question(x);
		if (!(await confirm_dialog(question))) return;
		await attempt(async () => {
			deleting = true;
			try {
				await remove(`/experiments/${id}?runs=${question.with_runs()}`);
			} catch (e) {
				deleting = false;
				throw e;
			}
			go("/experiments");
		});
	}
	const csv = () => attempt(() => download(`/experiments/${id}`, `${x.name}.csv`, "text/csv"));

	function draw_head() {
		replace(pill, state_pill(x.state));
		replace(
			buttons,
			h("button", { id: "act-csv", onclick: csv }, "Download CSV"),
			is_final(x)
				? h("button", { id: "act-delete", onclick: discard }, "Delete")
				: h("button", { id: "act-cancel", onclick: cancel }, "Cancel"),
		);
	}
	/* Drawn anew as runs advance: what is open stays open, and the keyboard stays where it was. */
	function draw() {
		const active = document.activeElement;
		const inside = active && (body.contains(active) || buttons.contains(active));
		const focus = inside ? active.id : "";
		const opened = [...body.querySelectorAll("details")].map((d) => d.open);
		draw_head();
		replace(
			body,
			overview(x),
			h(
				"div.stacked",
				variant_table(x, ctx.query.sort || "", (sort) => {
					set_query({ sort });
					draw();
				}),
				h("section.card", h("h2", "mIoU of every seed"), dot_plot(x)),
				class_differences(x),
				cell_grid(x),
				h(
					"section.card",
					h(
						"div.card-head",
						h("h2", "Definition"),
						h(
							"div.tools",
							h(
								"a.button.small",
								{ id: "again", href: href("/experiments/new", { from: x.id }) },
								"New experiment from this one",
							),
						),
					),
					h(
						"details",
						h("summary", "As JSON"),
						h(
							"p.muted",
							"Post it to /api/v1/experiments to repeat the experiment: same seeds and data give the same weights, bit for bit.",
						),
						code_block(JSON.stringify(x.config, null, 2)),
					),
				),
			),
		);
		[...body.querySelectorAll("details")].forEach((d, i) => {
			d.open = Boolean(opened[i]);
		});
		if (focus && document.getElementById(focus))
			document.getElementById(focus).focus({ preventScroll: true });
	}
	function show() {
		const now = JSON.stringify(x);
		if (now !== shown) draw();
		shown = now;
	}
	const refresh = throttle(async () => {
		if (ctx.signal.aborted || deleting) return;
		try {
			x = await get(`/experiments/${id}`, null, ctx.signal);
			show();
		} catch {
			/* Away for a moment: the header says so, the next event tries again. */
		}
	}, 1500);
	subscribe((event) => {
		if (event.run === null || run_ids(x).has(String(event.run))) refresh();
	}, ctx.signal);
	show();
	document.title = `${x.name} · tpldd`;
	return h(
		"div",
		h("p.crumb", h("a", { href: "#/experiments" }, "Experiments"), ` / ${x.id}`),
		h("div.head", h("h1", x.name), pill, buttons),
		trouble,
		body,
	);
}
