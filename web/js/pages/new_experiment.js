/* new_experiment: the form that defines an experiment. One definition is edited by the fields and by the JSON
 * text; the daemon checks it when it is sent, and what it refuses is shown at its place. */

import { get, post } from "../api.js";
import { datasets, presets } from "../catalog.js";
import { h, replace } from "../dom.js";
import {
	find_oracle,
	fresh,
	missing,
	parse,
	seeds_of,
	variants_of,
	with_variants,
} from "../experiment_definition.js";
import { count } from "../format.js";
import { place_of } from "../json_place.js";
import { go } from "../router.js";
import { owner_of, pointer_set } from "../run_fields.js";
import { make_control, show_config, show_errors } from "../run_form.js";
import { variant_picker } from "../variant_picker.js";
import { code_block, empty, problem_box } from "../widgets.js";

export async function new_experiment_page(ctx) {
	const [sets, all_presets] = await Promise.all([datasets(), presets()]);
	const head = [
		h("p.crumb", h("a", { href: "#/experiments" }, "Experiments"), " / new"),
		h("div.head", h("h1", "New experiment")),
	];
	if (!sets.length)
		return h(
			"div",
			head,
			empty(
				"An experiment needs a source and a target",
				h("p", "Register a labelled data set to learn from and one to adapt to."),
				h("a.button.primary", { href: "#/datasets" }, "Register data sets"),
			),
		);

	const names = sets.map((d) => [d.name, `${d.name} (${d.images} images, ${d.labelled} labelled)`]);
	const controls = new Map();
	let definition = fresh();
	if (ctx.query.from) {
		const { config } = await get(`/experiments/${ctx.query.from}`, null, ctx.signal);
		/* What a definition may leave out is filled in: the fields show it. */
		definition = with_variants({ ...config, name: `${config.name} again` }, variants_of(config));
	}

	const json = h("textarea", {
		id: "definition",
		rows: 24,
		spellcheck: "false",
		"aria-label": "definition as JSON",
	});
	const json_error = h("p.error", { role: "alert" });
	const json_box = h("details", h("summary", "Everything as JSON"), json, json_error);
	const common = h("textarea", {
		id: "common",
		rows: 8,
		spellcheck: "false",
		"aria-label": "common configuration as JSON",
		"aria-describedby": "common-error",
	});
	const common_error = h("span.error", { id: "common-error", role: "alert" });
	const verdict = h("div.verdict", { "aria-live": "polite" }),
		shell = h("div");
	const start = h("button.primary", { type: "submit" }, "Start experiment");

	const picker = variant_picker(all_presets, sets, (d) => {
		definition = d;
		changed();
	});

	function draw_verdict() {
		const lacking = missing(definition),
			v = variants_of(definition).length,
			s = seeds_of(definition).length;
		start.disabled = lacking.length > 0;
		replace(
			verdict,
			lacking.length ? h("p.muted", `Still needed: ${lacking.join(", ")}.`) : null,
			h(
				"p",
				h("strong", `${count(v, "variant")} × ${count(s, "seed")} = ${count(v * s, "result")}.`),
				" Each is a run of its own; variants that start from the same source model share its training.",
			),
			s < 3
				? h(
						"p.warn-text",
						s < 2
							? "One seed cannot tell a difference from luck."
							: "Two seeds are very little to tell a difference from luck: three or more are better.",
					)
				: null,
		);
	}
	function draw_commands() {
		const text = JSON.stringify(definition);
		const quoted = `'${text.replaceAll("'", "'\\''")}'`;
		replace(
			shell,
			code_block(
				`curl -X POST ${location.origin}/api/v1/experiments \\\n  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \\\n  -d ${quoted}`,
			),
			code_block(
				`printf %s ${quoted} >experiment.json\ntpldctl experiment run experiment.json --watch`,
			),
		);
	}
	/* The keyboard stays at a control that is drawn anew. */
	function changed() {
		const focus = document.activeElement;
		show_config(controls, definition);
		if (focus !== json) json.value = JSON.stringify(definition, null, 2);
		if (focus !== common) common.value = JSON.stringify(definition.config, null, 2);
		json_error.textContent = "";
		picker.update(definition);
		show_errors(controls_now(), []);
		draw_verdict();
		draw_commands();
		const again = focus && focus.id && !focus.isConnected && document.getElementById(focus.id);
		if (again) again.focus({ preventScroll: true });
	}
	function edit(at, value) {
		pointer_set(definition, at, value);
		const oracle = find_oracle(definition);
		if (at === "/config/target" && oracle) pointer_set(oracle, "/config/source", value);
		changed();
	}
	json.addEventListener("input", () => {
		try {
			definition = parse(json.value);
			changed();
		} catch (e) {
			json_error.textContent = e.message;
		}
	});
	common.addEventListener("input", () => {
		try {
			definition.config = JSON.parse(common.value);
			changed();
		} catch (e) {
			common_error.textContent = e.message;
		}
	});

	/* Pointer -> control. */
	function controls_now() {
		const text = { node: common.parentElement, error: common_error, input: common };
		return new Map([...controls, ["/config", text], ...picker.controls()]);
	}
	/* An error below its control says where below. */
	function told(errors, known) {
		return errors.map((e) => {
			const owner = owner_of(e.pointer || "", known);
			const below = owner ? e.pointer.slice(owner.length) : "";
			return below ? { ...e, detail: `${below}: ${e.detail}` } : e;
		});
	}
	function select_in_json(pointer) {
		const place = place_of(json.value, pointer);
		json_box.open = true;
		json.focus();
		if (!place) return;
		json.setSelectionRange(place.from, place.to);
		/* The line in the middle of the text's window. */
		json.scrollTop = (json.scrollHeight * (place.line - 1)) / json.value.split("\n").length - 150;
	}
	function report(errors) {
		const known = controls_now();
		show_errors(known, told(errors, known));
		replace(
			verdict,
			h(
				"p.bad-text",
				h("strong", errors.length === 1 ? "One thing to fix" : `${errors.length} things to fix`),
				":",
			),
			h(
				"ul.errors",
				errors.map((e) => {
					const pointer = e.pointer || "";
					const place = place_of(json.value, pointer);
					return h(
						"li",
						h(
							"button.quiet.small.pointer",
							{ title: "show in the JSON", onclick: () => select_in_json(pointer) },
							h("code", pointer || "/"),
							place ? ` line ${place.line}` : "",
						),
						h("span", e.detail),
					);
				}),
			),
		);
	}
	/* A text that is no JSON is not what would be sent. */
	function broken_text() {
		const texts = [
			[json, () => parse(json.value)],
			[common, () => JSON.parse(common.value)],
		];
		for (const [area, read] of texts)
			try {
				read();
			} catch {
				return area;
			}
		return null;
	}
	async function submit(event) {
		event.preventDefault();
		const broken = broken_text();
		if (broken) {
			if (broken === json) json_box.open = true;
			broken.focus();
			return;
		}
		start.disabled = true;
		try {
			const made = await post("/experiments", definition, ctx.signal);
			go(`/experiments/${made.id}`);
		} catch (e) {
			if (e.name === "AbortError") return;
			start.disabled = false;
			if (e.errors && e.errors.length) report(e.errors);
			else replace(verdict, problem_box(e));
		}
	}
	const control = (field, choices) => make_control(controls, field, choices, edit);
	const set_choice = [["", "choose"], ...names];
	const form = h(
		"form.new-run",
		{ onsubmit: submit, novalidate: true },
		h(
			"section.card",
			h(
				"fieldset",
				h("legend", "What to compare on"),
				h(
					"div.form-grid",
					control({ at: "/name", label: "Name", kind: "text" }),
					control({
						at: "/seeds",
						label: "Seeds",
						kind: "list",
						hint: "each variant is trained once with each",
					}),
					control({ at: "/config/source", label: "Source (labelled)", kind: "text" }, set_choice),
					control(
						{ at: "/config/target", label: "Target (to adapt to)", kind: "text" },
						set_choice,
					),
					control(
						{
							at: "/config/eval",
							label: "Measure on",
							kind: "text",
							hint: "labelled images of the target domain; never trained on",
						},
						set_choice,
					),
				),
			),
			picker.node,
			h(
				"fieldset",
				h("legend", "Configuration common to all"),
				h(
					"div.field",
					h(
						"label.hint",
						{ for: "common" },
						"Keys of a run's configuration; what is not named comes from each variant's preset. A variant's own \"config\" goes over it: name such variants in the JSON below.",
					),
					common,
					common_error,
				),
			),
			json_box,
		),
		h(
			"aside",
			h(
				"section.card.sticky",
				h("h2", "What will run"),
				verdict,
				h("div.buttons.end", start),
				h("details", h("summary", "Same with curl or tpldctl"), shell),
			),
		),
	);
	changed();
	return h("div", head, form);
}
