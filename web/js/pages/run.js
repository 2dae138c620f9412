/* run: overview of one run: what is happening, how well it does, curves, rounds, checkpoints. */

import { download, get, get_all, items_of } from "../api.js";
import { run_classes } from "../catalog.js";
import { curves } from "../curves.js";
import { h, replace, throttle } from "../dom.js";
import { bytes, duration, FINAL, is_number, number, percent, phase_name, round_name, sentence, signed_percent, time } from "../format.js";
import { rounds_view } from "../rounds_view.js";
import { run_shell } from "../run_shell.js";
import { timeline } from "../stages.js";
import { problem_box, progress_bar, sort_table, state_pill } from "../widgets.js";

function tile(label, value, note, cls) {
	return h("div", { class: "tile" }, h("span", { class: "tile-label" }, label), h("span", { class: "tile-value" }, value),
		h("span", { class: `tile-note ${cls || ""}` }, note || ""));
}

function change(now, before) {
	if (!is_number(now) || !is_number(before))
		return ["", ""];
	return [`${signed_percent(now - before)} points`, now > before ? "good-text" : now < before ? "bad-text" : ""];
}

function overview(run) {
	const m = run.miou || {};
	const final = FINAL.has(run.state);
	return h("section", { class: "card now" },
		h("p", { class: "sentence" }, sentence(run)),
		run.error ? h("div", { class: "problem" }, h("strong", null, run.state === "failed" ? "Why it failed" : "Why it stopped"),
			h("p", null, typeof run.error === "string" ? run.error : run.error.detail || JSON.stringify(run.error))) : null,
		h("div", { class: "progress-line" }, progress_bar(run.progress, "progress of the run"), h("strong", null, `${percent(run.progress, 0)} %`)),
		timeline(run),
		h("div", { class: "tiles" },
			tile("mIoU source-only", percent(m.source_only), run.config.eval ? "before adaptation, %" : "no evaluation set"),
			tile("mIoU now", percent(m.current), ...change(m.current, m.source_only)),
			tile("mIoU best", percent(m.best), ...change(m.best, m.source_only)),
			final ? tile("Ended", time(run.updated).slice(11, 16), time(run.updated).slice(0, 10)) : tile("Time left", duration(run.eta_seconds), "estimated"),
			is_number(run.seconds) ? tile("Computed", duration(run.seconds), "training time so far") : null));
}

function history_table(run) {
	const list = run.state_history || [];
	return h("section", { class: "card" }, h("h2", null, "State history"), list.length
		? h("div", { class: "table-wrap scroll" }, h("table", null, h("thead", null, h("tr", null, h("th", { scope: "col" }, "Time"), h("th", { scope: "col" }, "State"), h("th", { scope: "col" }, "Reason"))),
			h("tbody", null, [...list].reverse().map((s) => h("tr", null, h("td", { class: "nowrap" }, time(s.time ?? s.at ?? s.time_ms)),
				h("td", null, state_pill(s.to || s.state)), h("td", null, s.reason || ""))))))
		: h("p", { class: "muted" }, "Nothing yet."));
}

function checkpoints_card(run) {
	const body = h("div");
	const note = h("p", { class: "muted", "aria-live": "polite" });
	async function fetch_file(c) {
		note.textContent = `Fetching ${bytes(c.bytes)}…`;
		try {
			await download(`/checkpoints/${c.id}/file`, `${run.name}-${round_name(c.round).replace(" ", "-")}.safetensors`);
			note.textContent = "";
		} catch (e) {
			replace(note, problem_box(e));
		}
	}
	const columns = [
		{ key: "round", label: "Model after", value: (c) => c.round ?? -1, cell: (c) => `${round_name(c.round)}${c.phase ? `, ${phase_name(c.phase)}` : ""}` },
		{ key: "step", label: "Step", num: true, value: (c) => c.step, cell: (c) => number(c.step) },
		{ key: "bytes", label: "Size", num: true, value: (c) => c.bytes, cell: (c) => bytes(c.bytes) },
		{ key: "sha256", label: "SHA-256", value: (c) => c.sha256, cell: (c) => h("code", { title: c.sha256 }, String(c.sha256 || "").slice(0, 12)) },
		{ key: "get", label: "File", cell: (c) => h("button", { type: "button", class: "small", onclick: () => fetch_file(c) }, "Download") },
	];
	let sort = "round";
	function update(list) {
		replace(body, list.length ? sort_table({ columns, rows: list, sort, caption: "checkpoints", on_sort: (s) => {
			sort = s;
			update(list);
		} }) : h("p", { class: "muted" }, "One is written after source training and after every round."));
	}
	return { node: h("section", { class: "card" }, h("h2", null, "Checkpoints"), body, note), update };
}

export async function run_page(ctx) {
	const shell = await run_shell(ctx, "");
	const id = ctx.params.id;
	const classes = await run_classes(shell.run);
	const now = h("div", null, overview(shell.run));
	const history = h("div", null, history_table(shell.run));
	const loss = curves(id, ctx);
	const rounds = rounds_view(id);
	const checkpoints = checkpoints_card(shell.run);

	async function load_slow() {
		const [round_list, checkpoint_list] = await Promise.all([get(`/runs/${id}/rounds`, null, ctx.signal),
			get_all(`/runs/${id}/checkpoints`, {}, 1000, ctx.signal)]);
		rounds.update(items_of(round_list), classes);
		checkpoints.update(checkpoint_list.items);
	}
	const refresh_slow = throttle(() => load_slow().catch(() => {}), 3000);
	let stage = "";
	let states = (shell.run.state_history || []).length;
	shell.watch((run) => {
		replace(now, overview(run));
		if (stage !== `${run.state} ${run.phase} ${run.round}`)
			refresh_slow();
		stage = `${run.state} ${run.phase} ${run.round}`;
		if ((run.state_history || []).length !== states)
			replace(history, history_table(run));
		states = (run.state_history || []).length;
		loss.refresh();
	});
	await Promise.all([loss.load(), load_slow()]);
	shell.node.append(now, h("div", { class: "stacked" }, loss.node, rounds.node), h("div", { class: "columns" }, checkpoints.node, history));
	return shell.node;
}
