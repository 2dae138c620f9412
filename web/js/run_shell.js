/* run_shell: what the pages of one run share: heading with live state, actions and tabs. */

import { get, post, remove } from "./api.js";
import { h, replace, throttle } from "./dom.js";
import { subscribe } from "./events.js";
import { FINAL } from "./format.js";
import { go, href } from "./router.js";
import { confirm_dialog, problem_box, state_pill } from "./widgets.js";

const ASK = {
	pause: {
		title: "Pause this run?",
		action: "Pause",
		text: [
			"It stops after the step or image it is working on and frees the cores and the memory.",
			"Weights, optimiser state, random numbers and position are kept: after Resume it continues exactly as if nothing had happened. The next queued run may start meanwhile.",
		],
	},
	cancel: {
		title: "Cancel this run for good?",
		action: "Cancel the run",
		danger: true,
		text: [
			"It stops after the current step and cannot be resumed.",
			"Everything that is finished is kept: checkpoints, metrics, IoU, and the scores, labels and pictures of finished rounds. Only the round under way is lost.",
		],
	},
	remove: {
		title: "Delete this run?",
		action: "Delete",
		danger: true,
		text: "Its metrics, pictures and checkpoints are removed from disk. Download what you want to keep first.",
	},
};

function action_buttons(run, reload, trouble) {
	async function act(name) {
		if (ASK[name] && !(await confirm_dialog(ASK[name]))) return;
		try {
			if (name === "remove") {
				await remove(`/runs/${run.id}`);
				go("/runs");
				return;
			}
			await post(`/runs/${run.id}/${name}`);
			replace(trouble);
		} catch (e) {
			replace(trouble, problem_box(e));
		}
		reload();
	}
	const button = (name, text, cls) =>
		h("button", { class: cls, id: `act-${name}`, onclick: () => act(name) }, text);
	const may = (name) => run.allowed_actions.includes(name);
	/* Pausing a run that is pausing already is accepted, but there is nothing to ask for. */
	return [
		may("pause") && run.state !== "pausing" ? button("pause", "Pause") : null,
		may("resume") ? button("resume", "Resume", "primary") : null,
		may("cancel") ? button("cancel", "Cancel") : null,
		FINAL.has(run.state) ? button("remove", "Delete") : null,
	];
}

const TABS = [
	["", "Overview"],
	["/classes", "Classes"],
	["/images", "Images"],
	["/config", "Configuration"],
];

/* -> {run, node, watch(f)}; f(run, event) is called with the newest run whenever it may have changed. */
export async function run_shell(ctx, tab) {
	const id = ctx.params.id;
	let run = await get(`/runs/${id}`, null, ctx.signal);
	const watchers = [];
	const trouble = h("div");
	const pill = h("span");
	const buttons = h("div.buttons");
	let shown_state = null;

	function draw() {
		if (run.state === shown_state) return;
		shown_state = run.state;
		replace(pill, state_pill(run.state));
		replace(buttons, action_buttons(run, refresh, trouble));
	}
	const refresh = throttle(async () => {
		if (ctx.signal.aborted) return;
		try {
			run = await get(`/runs/${id}`, null, ctx.signal);
			draw();
			watchers.forEach((f) => f(run));
		} catch {
			/* Away for a moment: the header says so, the next event tries again. */
		}
	}, 700);
	subscribe((event) => {
		if (event.run === null || String(event.run) === String(id)) refresh();
	}, ctx.signal);
	draw();
	document.title = `${run.name} · tpldd`;
	const node = h(
		"div",
		h("p.crumb", h("a", { href: "#/runs" }, "Runs"), ` / ${run.id}`),
		h("div.head", h("h1", run.name), pill, buttons),
		trouble,
		h(
			"div.tabs",
			TABS.map(([path, text]) =>
				h(
					"a",
					{ href: href(`/runs/${id}${path}`), "aria-current": path === tab ? "page" : null },
					text,
				),
			),
		),
	);
	return { run, node, watch: (f) => watchers.push(f) };
}
