/* run: overview of one run: what is happening, how well it does, curves, rounds, profile, checkpoints. */

import { alarm_box } from "../alarms.js";
import { download, get, get_all, items_of } from "../api.js";
import { audit_view } from "../audit_view.js";
import { run_classes } from "../catalog.js";
import { curves } from "../curves.js";
import { h, replace, throttle } from "../dom.js";
import {
	bytes,
	duration,
	FINAL,
	is_number,
	number,
	percent,
	phase_name,
	round_name,
	sentence,
	signed_percent,
	time,
} from "../format.js";
import { profile_view } from "../profile_view.js";
import { rounds_view } from "../rounds_view.js";
import { run_shell } from "../run_shell.js";
import { timeline } from "../stages.js";
import { col, problem_box, progress_bar, sort_table, state_pill, tile } from "../widgets.js";

function change(now, before) {
	if (!is_number(now) || !is_number(before)) return ["", ""];
	return [
		`${signed_percent(now - before)} points`,
		now > before ? "good-text" : now < before ? "bad-text" : "",
	];
}

function overview(run) {
	const m = run.miou || {};
	const final = FINAL.has(run.state);
	return h(
		"section.card.now",
		h("p.sentence", sentence(run)),
		run.error
			? h(
					"div.problem",
					h("strong", run.state === "failed" ? "Why it failed" : "Why it stopped"),
					h("p", run.error),
				)
			: null,
		h(
			"div.progress-line",
			progress_bar(run.progress, "progress of the run"),
			h("strong", `${percent(run.progress, 0)} %`),
		),
		timeline(run),
		h(
			"div.tiles",
			tile(
				"mIoU source-only",
				percent(m.source_only),
				run.config.eval ? "before adaptation, %" : "no evaluation set",
			),
			tile("mIoU now", percent(m.current), ...change(m.current, m.source_only)),
			tile("mIoU best", percent(m.best), ...change(m.best, m.source_only)),
			final
				? tile("Ended", time(run.updated).slice(11, 16), time(run.updated).slice(0, 10))
				: tile("Time left", duration(run.eta_seconds), "estimated"),
			is_number(run.seconds) ? tile("Computed", duration(run.seconds), "training time so far") : null,
		),
	);
}

function history_table(run) {
	const list = run.state_history || [];
	return h(
		"section.card",
		h("h2", "State history"),
		list.length
			? h(
					"div.table-wrap.scroll",
					h(
						"table",
						h("thead", h("tr", col("Time"), col("State"), col("Reason"))),
						h(
							"tbody",
							[...list]
								.reverse()
								.map((s) =>
									h(
										"tr",
										h("td.nowrap", time(s.time)),
										h("td", state_pill(s.to)),
										h("td", s.reason || ""),
									),
								),
						),
					),
				)
			: h("p.muted", "Nothing yet."),
	);
}

function checkpoints_card(run) {
	const body = h("div");
	const note = h("p.muted", { "aria-live": "polite" });
	async function fetch_file(c) {
		note.textContent = `Fetching ${bytes(c.bytes)}…`;
		try {
			await download(
				`/checkpoints/${c.id}/file`,
				`${run.name}-${round_name(c.round).replace(" ", "-")}.safetensors`,
			);
			note.textContent = "";
		} catch (e) {
			replace(note, problem_box(e));
		}
	}
	const columns = [
		{
			key: "round",
			label: "Model after",
			value: (c) => c.round ?? -1,
			cell: (c) => `${round_name(c.round)}${c.phase ? `, ${phase_name(c.phase)}` : ""}`,
		},
		{ key: "step", label: "Step", num: true, value: (c) => c.step, cell: (c) => number(c.step) },
		{ key: "bytes", label: "Size", num: true, value: (c) => c.bytes, cell: (c) => bytes(c.bytes) },
		{
			key: "sha256",
			label: "SHA-256",
			value: (c) => c.sha256,
			cell: (c) => h("code", { title: c.sha256 }, String(c.sha256 || "").slice(0, 12)),
		},
		{
			key: "get",
			label: "File",
			cell: (c) => h("button.small", { onclick: () => fetch_file(c) }, "Download"),
		},
	];
	let sort = "round";
	function update(list) {
		replace(
			body,
			list.length
				? sort_table({
						columns,
						rows: list,
						sort,
						caption: "checkpoints",
						on_sort: (s) => {
							sort = s;
							update(list);
						},
					})
				: h("p.muted", "One is written after source training and after every round."),
		);
	}
	return { node: h("section.card", h("h2", "Checkpoints"), body, note), update };
}

export async function run_page(ctx) {
	const shell = await run_shell(ctx, "");
	const id = ctx.params.id;
	const classes = await run_classes(shell.run);
	const now = h("div", overview(shell.run));
	const history = h("div", history_table(shell.run));
	const loss = curves(id, ctx);
	const rounds = rounds_view(id);
	const alarms = h("div");
	const audit = audit_view(ctx);
	const profile = profile_view(shell.run, ctx);
	const checkpoints = checkpoints_card(shell.run);

	/* Alarms that are read out must not be read out again at every look. */
	let alarmed = "";
	let final = FINAL.has(shell.run.state);
	function show_rounds(list) {
		rounds.update(list, classes, final);
		audit.update(list, classes);
		const now = JSON.stringify(list.map((r) => r.alarms));
		if (now !== alarmed) replace(alarms, alarm_box(list, classes, audit.open));
		alarmed = now;
	}
	async function load_slow() {
		const [round_list, checkpoint_list] = await Promise.all([
			get(`/runs/${id}/rounds`, null, ctx.signal),
			get_all(`/runs/${id}/checkpoints`, {}, 1000, ctx.signal),
		]);
		show_rounds(items_of(round_list));
		checkpoints.update(checkpoint_list.items);
	}
	const refresh_slow = throttle(() => load_slow().catch(() => {}), 3000);
	let stage = "";
	let states = (shell.run.state_history || []).length;
	shell.watch((run) => {
		replace(now, overview(run));
		final = FINAL.has(run.state);
		if (stage !== `${run.state} ${run.phase} ${run.round}`) refresh_slow();
		stage = `${run.state} ${run.phase} ${run.round}`;
		if ((run.state_history || []).length !== states) replace(history, history_table(run));
		states = (run.state_history || []).length;
		loss.refresh();
		profile.update(run);
	});
	await Promise.all([loss.load(), profile.load(), load_slow()]);
	shell.node.append(
		alarms,
		now,
		h("div.stacked", loss.node, rounds.node, audit.node, profile.node),
		h("div.columns", checkpoints.node, history),
	);
	return shell.node;
}
