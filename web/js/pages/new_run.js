/* new_run: the form that starts a run. One configuration object is edited by the fields and by the JSON
 * text; every change is checked by the daemon itself (runs:validate). */

import { get, post } from "../api.js";
import { datasets, presets, weights } from "../catalog.js";
import { debounce, h, replace } from "../dom.js";
import { bytes, duration, number } from "../format.js";
import { go, set_query } from "../router.js";
import { describe, GROUPS, owner_of, parse_value, pointer_get, pointer_set, show_value } from "../run_fields.js";
import { code_block, empty, problem_box, select } from "../widgets.js";

const REQUIRED = [["/name", "a name"], ["/source", "a source"], ["/target", "a target"]];
const BASICS = ["/name", "/source", "/target", "/eval", "/seed"];

/* controls: pointer -> {node, input, error, kind}. */
function make_control(controls, field, choices, on_change) {
	const { at, label, kind, hint } = field;
	const id = `f${at.replaceAll("/", "-")}`;
	const error = h("span", { class: "error", id: `${id}-error` });
	const props = { id, "aria-describedby": `${id}-error` };
	let input;
	if (kind === "bool")
		input = h("input", { ...props, type: "checkbox" });
	else if (Array.isArray(kind) || choices)
		input = select(props, choices || kind, "");
	else
		input = h("input", { ...props, type: "text", inputmode: kind === "text" ? null : "decimal", spellcheck: "false", autocomplete: "off" });
	input.addEventListener(kind === "text" || input.tagName === "INPUT" ? "input" : "change", () => {
		on_change(at, kind === "bool" ? input.checked : parse_value(Array.isArray(kind) ? "text" : kind, input.value));
	});
	const node = kind === "bool"
		? h("div", { class: "field" }, h("span", { class: "label" }, " "), h("label", { class: "check" }, input, label), error)
		: h("div", { class: "field" }, h("label", { class: "label", for: id }, label), input,
			hint ? h("span", { class: "hint" }, hint) : null, error);
	controls.set(at, { node, input, error, kind });
	return node;
}

function show_config(controls, config) {
	for (const [at, { input, kind }] of controls) {
		const value = pointer_get(config, at);
		if (kind === "bool")
			input.checked = value === true;
		else if (document.activeElement !== input)
			input.value = show_value(kind, value);
	}
}

function show_errors(controls, errors) {
	const other = [];
	for (const { node, error, input } of controls.values()) {
		node.classList.remove("bad");
		error.textContent = "";
		input.removeAttribute("aria-invalid");
	}
	for (const e of errors) {
		const owner = owner_of(e.pointer || "", controls);
		if (!owner) {
			other.push(e);
			continue;
		}
		const { node, error, input } = controls.get(owner);
		node.classList.add("bad");
		input.setAttribute("aria-invalid", "true");
		error.textContent = error.textContent ? `${error.textContent}; ${e.detail}` : e.detail;
	}
	return other;
}

function estimate_view(answer) {
	const e = answer.estimate || answer;
	const rows = [["Memory", e.memory_bytes, bytes], ["Disk", e.disk_bytes, bytes],
		["Training steps", e.steps_total, number], ["Time", e.seconds, duration]]
		.filter(([, value]) => value !== undefined && value !== null);
	return h("div", null,
		h("p", { class: "good-text" }, h("strong", null, "Valid."), " The daemon would accept this run."),
		rows.length ? h("dl", { class: "facts" }, rows.map(([k, v, f]) => [h("dt", null, k), h("dd", null, f(v))])) : null,
		(answer.warnings || []).map((w) => h("p", { class: "muted" }, w.detail || String(w))));
}

function quoted(text) {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

function commands(config) {
	const json = JSON.stringify(config);
	return [code_block(`curl -X POST ${location.origin}/api/v1/runs \\\n  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n  -d ${quoted(json)}`),
		code_block(`printf %s ${quoted(json)} | tpldctl run create -`)];
}

function preset_picker(list, chosen, on_choose) {
	return h("fieldset", null, h("legend", null, "Preset"),
		h("div", { class: "presets" }, list.map((p) => h("label", { class: "preset" },
			h("input", { type: "radio", name: "preset", value: p.name, checked: p.name === chosen,
				onchange: () => on_choose(p.name) }),
			h("span", null, h("strong", null, p.name), h("span", { class: "hint" }, p.text))))));
}

export async function new_run_page(ctx) {
	const [sets, all_presets, all_weights, schema] = await Promise.all([datasets(), presets(), weights(), get("/schema/run-config", null, ctx.signal)]);
	const head = h("div", { class: "head" }, h("h1", null, "New run"));
	if (!sets.length)
		return h("div", null, head, empty("A run needs a source and a target",
			h("p", null, "Register a labelled data set to learn from and one to adapt to."),
			h("a", { class: "button primary", href: "#/datasets" }, "Register data sets")));

	const controls = new Map();
	const names = sets.map((d) => [d.name, `${d.name} (${d.images} images, ${d.labelled} labelled)`]);
	const touched = new Set();
	let config = null, asked = 0;

	const json = h("textarea", { rows: 24, spellcheck: "false", "aria-label": "configuration as JSON" });
	const json_error = h("p", { class: "error", role: "alert" });
	const verdict = h("div", { class: "verdict", "aria-live": "polite" });
	const shell = h("div");
	const start = h("button", { class: "primary", type: "submit" }, "Start run");

	/* An empty form is not wrong yet, only unfinished. */
	const missing = () => REQUIRED.filter(([at]) => !pointer_get(config, at) && !touched.has(at)).map(([, name]) => name);
	const check = debounce(async () => {
		if (ctx.signal.aborted)
			return;
		if (missing().length) {
			show_errors(controls, []);
			start.disabled = true;
			replace(verdict, h("p", { class: "muted" }, `Still needed: ${missing().join(", ")}.`));
			return;
		}
		/* Answers may overtake each other: only the one to the newest question counts. */
		const mine = ++asked;
		try {
			const answer = await post("/runs:validate", config, ctx.signal);
			if (mine === asked)
				report(answer.errors, answer);
		} catch (e) {
			if (mine === asked && e.name !== "AbortError")
				replace(verdict, problem_box(e));
		}
	}, 350);
	function report(errors, answer) {
		const other = show_errors(controls, errors);
		start.disabled = errors.length > 0;
		if (!errors.length)
			replace(verdict, estimate_view(answer));
		else
			replace(verdict, h("p", { class: "bad-text" }, h("strong", null,
				errors.length === 1 ? "One thing to fix" : `${errors.length} things to fix`),
			other.length ? ":" : ", marked at the fields."),
			h("ul", null, other.map((e) => h("li", null, h("code", null, e.pointer || "/"), " ", e.detail))));
	}
	function changed() {
		show_config(controls, config);
		if (document.activeElement !== json)
			json.value = JSON.stringify(config, null, 2);
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
		config = { name: "", preset: preset.name, seed: 1, source: "", target: "", eval: null, ...structuredClone(preset.config) };
		config.preset = preset.name;
		for (const at of [...BASICS, "/model/arch", "/model/init", "/data/crop", "/data/batch"])
			if (pointer_get(kept, at) !== undefined)
				pointer_set(config, at, pointer_get(kept, at));
		set_query({ preset: preset.name });
		changed();
	}
	const control = (field, choices) => {
		const node = make_control(controls, field, choices, edit);
		node.title = describe(schema, field.at) || "";
		return node;
	};
	const basics = h("fieldset", null, h("legend", null, "What to adapt"), h("div", { class: "form-grid" },
		control({ at: "/name", label: "Name", kind: "text" }),
		control({ at: "/source", label: "Source (labelled)", kind: "text" }, [["", "choose"], ...names]),
		control({ at: "/target", label: "Target (to adapt to)", kind: "text" }, [["", "choose"], ...names]),
		control({ at: "/eval", label: "Measure on", kind: "text", hint: "labelled images of the target domain; never trained on" },
			[["", "nothing"], ...names]),
		control({ at: "/seed", label: "Seed", kind: "int", hint: "same seed, same result, bit for bit" })));
	const groups = GROUPS.map((g) => h("details", { open: g.open }, h("summary", null, g.title), g.text ? h("p", { class: "muted" }, g.text) : null,
		h("div", { class: "form-grid" }, g.fields.map((f) => control(f,
			f.kind === "weights" ? [["", "none (random)"], ...all_weights.map((w) => [w.name, `${w.name} (${w.arch})`])] : null)))));

	async function submit(event) {
		event.preventDefault();
		start.disabled = true;
		try {
			const run = await post("/runs", config);
			go(`/runs/${run.id}`);
		} catch (e) {
			start.disabled = false;
			if (e.errors && e.errors.length)
				report(e.errors, null);
			else
				replace(verdict, problem_box(e));
		}
	}
	const template = ctx.query.from ? await get(`/runs/${ctx.query.from}`, null, ctx.signal) : null;
	const preset = template ? template.config.preset : ctx.query.preset || "tpld";
	const form = h("form", { class: "new-run", onsubmit: submit, novalidate: true },
		h("section", { class: "card" }, preset_picker(all_presets, preset, choose), basics, groups,
			h("details", null, h("summary", null, "Everything as JSON"), json, json_error)),
		h("aside", null, h("section", { class: "card sticky" }, h("h2", null, "Check"), verdict,
			h("div", { class: "buttons end" }, start),
			h("details", null, h("summary", null, "Same with curl or tpldctl"), shell))));
	if (template) {
		config = { ...structuredClone(template.config), name: `${template.config.name} again` };
		changed();
	} else {
		choose(preset);
	}
	return h("div", null, head, form);
}
