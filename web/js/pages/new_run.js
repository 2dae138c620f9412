/* new_run: the form that starts a run. One configuration object is edited by the fields and by the JSON
 * text; every change is checked by the daemon itself (runs:validate). */

import { get, post } from "../api.js";
import { datasets, presets, weights } from "../catalog.js";
import { debounce, h, replace } from "../dom.js";
import { bytes, duration, number, phase_name } from "../format.js";
import { go, set_query } from "../router.js";
import { describe, GROUPS, pointer_get, pointer_set } from "../run_fields.js";
import { make_control, show_config, show_errors } from "../run_form.js";
import { code_block, empty, problem_box, select } from "../widgets.js";

const REQUIRED = [
	["/name", "a name"],
	["/source", "a source"],
	["/target", "a target"],
];
const BASICS = ["/name", "/source", "/target", "/eval", "/seed"];

/* measure: asks the daemon how long the run would take, which costs it some seconds. */
function estimate_view(answer, measure) {
	const e = answer.estimate;
	const rows = [
		["Memory", e.memory_bytes, bytes],
		["Disk", e.disk_bytes, bytes],
		["Training steps", e.steps_total, number],
	];
	if (e.seconds !== undefined) {
		rows.push(["Time, if nothing else computes", e.seconds, duration]);
		for (const [phase, seconds] of Object.entries(e.phase_seconds || {}))
			rows.push([`of which ${phase_name(phase)}`, seconds, duration]);
	}
	return h(
		"div",
		h("p.good-text", h("strong", "Valid."), " The daemon would accept this run."),
		h(
			"dl.facts",
			rows.map(([k, v, f]) => [h("dt", k), h("dd", f(v))]),
		),
		e.seconds === undefined
			? h("button.quiet.small", { type: "button", onclick: () => measure(answer) }, "How long would it take?")
			: null,
	);
}

function quoted(text) {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

function commands(config) {
	const json = JSON.stringify(config);
	return [
		code_block(
			`curl -X POST ${location.origin}/api/v1/runs \\\n  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n  -d ${quoted(json)}`,
		),
		code_block(`printf %s ${quoted(json)} | tpldctl run create -`),
	];
}

function preset_picker(list, chosen, on_choose) {
	return h(
		"fieldset",
		h("legend", "Preset"),
		h(
			"div.presets",
			list.map((p) =>
				h(
					"label.preset",
					h("input", {
						type: "radio",
						name: "preset",
						value: p.name,
						checked: p.name === chosen,
						onchange: () => on_choose(p.name),
					}),
					h("span", h("strong", p.name), h("span.hint", p.text)),
				),
			),
		),
	);
}

export async function new_run_page(ctx) {
	const [sets, all_presets, all_weights, schema] = await Promise.all([
		datasets(),
		presets(),
		weights(),
		get("/schema/run-config", null, ctx.signal),
	]);
	const head = h("div.head", h("h1", "New run"));
	if (!sets.length)
		return h(
			"div",
			head,
			empty(
				"A run needs a source and a target",
				h("p", "Register a labelled data set to learn from and one to adapt to."),
				h("a.button.primary", { href: "#/datasets" }, "Register data sets"),
			),
		);

	const controls = new Map();
	const names = sets.map((d) => [d.name, `${d.name} (${d.images} images, ${d.labelled} labelled)`]);
	const touched = new Set();
	let config = null,
		asked = 0;

	const json = h("textarea", { rows: 24, spellcheck: "false", "aria-label": "configuration as JSON" });
	const json_error = h("p.error", { role: "alert" });
	const verdict = h("div.verdict", { "aria-live": "polite" });
	const shell = h("div");
	const start = h("button.primary", { type: "submit" }, "Start run");

	/* An empty form is not wrong yet, only unfinished. */
	const missing = () =>
		REQUIRED.filter(([at]) => !pointer_get(config, at) && !touched.has(at)).map(([, name]) => name);
	const check = debounce(async () => {
		if (ctx.signal.aborted) return;
		if (missing().length) {
			show_errors(controls, []);
			start.disabled = true;
			replace(verdict, h("p.muted", `Still needed: ${missing().join(", ")}.`));
			return;
		}
		await newest(async () => {
			const answer = await post("/runs:validate", config, ctx.signal);
			return () => report(answer.errors, answer);
		});
	}, 350);
	/* Answers may overtake each other: only the one to the newest question counts. */
	async function newest(question) {
		const mine = ++asked;
		try {
			const show = await question();
			if (mine === asked) show();
		} catch (e) {
			if (mine === asked && e.name !== "AbortError") replace(verdict, problem_box(e));
		}
	}
	function measure(answer) {
		replace(verdict, h("p.muted", "Measuring the network on the server …"));
		newest(async () => {
			const time = await post("/runs:estimate", config, ctx.signal);
			return () => report([], { estimate: { ...answer.estimate, ...time } });
		});
	}
	function report(errors, answer) {
		const other = show_errors(controls, errors);
		start.disabled = errors.length > 0;
		if (!errors.length) replace(verdict, estimate_view(answer, measure));
		else
			replace(
				verdict,
				h(
					"p.bad-text",
					h("strong", errors.length === 1 ? "One thing to fix" : `${errors.length} things to fix`),
					other.length ? ":" : ", marked at the fields.",
				),
				h(
					"ul",
					other.map((e) => h("li", h("code", e.pointer || "/"), " ", e.detail)),
				),
			);
	}
	function changed() {
		show_config(controls, config);
		if (document.activeElement !== json) json.value = JSON.stringify(config, null, 2);
		json_error.textContent = "";
		replace(shell, commands(config));
		check();
	}
	function edit(at, value) {
		touched.add(at);
		pointer_set(config, at, at === "/eval" && value === "" ? null : value);
		changed();
	}
	json.addEventListener("input", () => {
		try {
			config = JSON.parse(json.value);
			changed();
		} catch (e) {
			json_error.textContent = e.message;
		}
	});
	function choose(name) {
		const preset = all_presets.find((p) => p.name === name) || all_presets[0];
		const kept = config || {};
		config = {
			name: "",
			preset: preset.name,
			seed: 1,
			source: "",
			target: "",
			eval: null,
			...structuredClone(preset.config),
		};
		config.preset = preset.name;
		for (const at of [...BASICS, "/model/arch", "/model/init", "/data/crop", "/data/batch"])
			if (pointer_get(kept, at) !== undefined) pointer_set(config, at, pointer_get(kept, at));
		set_query({ preset: preset.name });
		changed();
	}
	const control = (field, choices) => {
		const node = make_control(controls, field, choices, edit);
		node.title = describe(schema, field.at) || "";
		return node;
	};
	const basics = h(
		"fieldset",
		h("legend", "What to adapt"),
		h(
			"div.form-grid",
			control({ at: "/name", label: "Name", kind: "text" }),
			control({ at: "/source", label: "Source (labelled)", kind: "text" }, [["", "choose"], ...names]),
			control({ at: "/target", label: "Target (to adapt to)", kind: "text" }, [
				["", "choose"],
				...names,
			]),
			control(
				{
					at: "/eval",
					label: "Measure on",
					kind: "text",
					hint: "labelled images of the target domain; never trained on",
				},
				[["", "nothing"], ...names],
			),
			control({ at: "/seed", label: "Seed", kind: "int", hint: "same seed, same result, bit for bit" }),
		),
	);
	const groups = GROUPS.map((g) =>
		h(
			"details",
			{ open: g.open },
			h("summary", g.title),
			g.text ? h("p.muted", g.text) : null,
			h(
				"div.form-grid",
				g.fields.map((f) =>
					control(
						f,
						f.kind === "weights"
							? [
									["", "none (random)"],
									...all_weights.map((w) => [w.name, `${w.name} (${w.arch})`]),
								]
							: null,
					),
				),
			),
		),
	);

	async function submit(event) {
		event.preventDefault();
		start.disabled = true;
		try {
			const run = await post("/runs", config);
			go(`/runs/${run.id}`);
		} catch (e) {
			start.disabled = false;
			if (e.errors && e.errors.length) report(e.errors, null);
			else replace(verdict, problem_box(e));
		}
	}
	const template = ctx.query.from ? await get(`/runs/${ctx.query.from}`, null, ctx.signal) : null;
	const preset = template ? template.config.preset : ctx.query.preset || "tpld";
	const form = h(
		"form.new-run",
		{ onsubmit: submit, novalidate: true },
		h(
			"section.card",
			preset_picker(all_presets, preset, choose),
			basics,
			groups,
			h("details", h("summary", "Everything as JSON"), json, json_error),
		),
		h(
			"aside",
			h(
				"section.card.sticky",
				h("h2", "Check"),
				verdict,
				h("div.buttons.end", start),
				h("details", h("summary", "Same with curl or tpldctl"), shell),
			),
		),
	);
	if (template) {
		config = { ...structuredClone(template.config), name: `${template.config.name} again` };
		changed();
	} else {
		choose(preset);
	}
	return h("div", head, form);
}
