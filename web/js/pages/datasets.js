/* datasets: list, registration, and a look into one data set. */

import { get, picture, post, remove } from "../api.js";
import { class_sets, css_color, datasets, forget, LAYOUTS, rgb } from "../catalog.js";
import { h, replace } from "../dom.js";
import { number } from "../format.js";
import { go, href } from "../router.js";
import { confirm_dialog, field, problem_box, select, sort_table, swatch } from "../widgets.js";

const PREVIEWS = 12;

function palette(classes) {
	return h(
		"span.palette",
		{ role: "img", "aria-label": `${classes.length} classes` },
		classes.map((c) => h("i", { title: c.name, style: { "background-color": css_color(rgb(c.color)) } })),
	);
}

const COLUMNS = [
	{
		key: "name",
		label: "Name",
		value: (d) => d.name,
		cell: (d) => h("a.strong", { href: href(`/datasets/${d.id}`) }, d.name),
	},
	{ key: "layout", label: "Layout", value: (d) => d.layout, cell: (d) => d.layout },
	{
		key: "root",
		label: "Folder",
		value: (d) => d.root,
		cell: (d) =>
			h(
				"code.path",
				`${d.root || ""}${d.split ? ` · ${d.split}` : ""}${d.include ? ` · ${d.include}` : ""}`,
			),
	},
	{ key: "images", label: "Images", num: true, value: (d) => d.images, cell: (d) => number(d.images) },
	{
		key: "labelled",
		label: "Labelled",
		num: true,
		value: (d) => d.labelled,
		cell: (d) => number(d.labelled),
	},
	{
		key: "classes",
		label: "Classes",
		value: (d) => d.classes.length,
		cell: (d) => h("span.inline", d.classes.length, palette(d.classes)),
	},
];

/* "" -> undefined; JSON text -> value; says which field is not JSON. */
function optional_json(text, name) {
	if (!text.trim()) return undefined;
	try {
		return JSON.parse(text);
	} catch (e) {
		throw new Error(`${name}: ${e.message}`);
	}
}

function register_form(sets) {
	const name = h("input", { id: "ds-name", required: true, maxlength: 127, autocomplete: "off" });
	const layout = select(
		{ id: "ds-layout" },
		Object.entries(LAYOUTS).map(([k]) => [k, k]),
		"folder",
	);
	const layout_hint = h("span.hint", LAYOUTS.folder);
	layout.addEventListener("change", () => {
		layout_hint.textContent = LAYOUTS[layout.value];
	});
	const root = h("input", {
		id: "ds-root",
		required: true,
		placeholder: "/srv/data/…",
		autocomplete: "off",
		spellcheck: "false",
	});
	const split = h("input", { id: "ds-split", placeholder: "all", autocomplete: "off" });
	const include = h("input", { id: "ds-include", placeholder: "*", autocomplete: "off" });
	const set = select(
		{ id: "ds-class-set" },
		[
			["", "default of the layout"],
			...sets.map((s) => [s.name, `${s.name}`]),
			["custom", "own, as JSON"],
		],
		"",
	);
	const custom = h("textarea", {
		id: "ds-classes",
		rows: 4,
		spellcheck: "false",
		placeholder: '{"classes": [{"id": 0, "name": "road", "color": [128, 64, 128]}, …]}',
	});
	const custom_field = h("div.full", { hidden: true }, field("Own class set", custom));
	set.addEventListener("change", () => {
		custom_field.hidden = set.value !== "custom";
	});
	const map = h("textarea", {
		id: "ds-map",
		rows: 2,
		spellcheck: "false",
		placeholder: '{"7": 0, "8": 1}',
	});
	const result = h("div", { "aria-live": "polite" });
	const button = h("button.primary", { type: "submit" }, "Register");
	async function submit(event) {
		event.preventDefault();
		button.disabled = true;
		replace(result, h("p.muted", "Looking at every image…"));
		try {
			const body = {
				name: name.value.trim(),
				layout: layout.value,
				root: root.value.trim(),
				split: split.value.trim() || undefined,
				include: include.value.trim() || undefined,
				class_set:
					set.value === "custom"
						? optional_json(custom.value, "Own class set")
						: set.value || undefined,
				class_map: optional_json(map.value, "Label map"),
			};
			await post("/datasets", body);
			forget();
			go("/datasets");
		} catch (e) {
			button.disabled = false;
			replace(result, problem_box(e));
		}
	}
	return h(
		"form",
		{ onsubmit: submit },
		h(
			"div.form-grid",
			field("Name", name),
			h("div.field.wide", h("label.label", { for: layout.id }, "Layout"), layout, layout_hint),
			h("div.wide", field("Folder on the daemon's machine", root)),
			field("Split", split, "sub-folder, e.g. train"),
			field("Only stems like", include, "glob, e.g. 0016E5_*"),
			field("Class set", set),
			custom_field,
			h(
				"div.full",
				field("Label map (optional)", map, "label value → train id; values not named are ignored"),
			),
		),
		result,
		h("div.buttons.end", button),
	);
}

export async function datasets_page(ctx) {
	forget();
	const [list, sets] = await Promise.all([datasets(), class_sets()]);
	const sort = ctx.query.sort || "name";
	return h(
		"div",
		h("div.head", h("h1", "Data sets")),
		list.length
			? h(
					"section.card.flush",
					sort_table({
						columns: COLUMNS,
						rows: list,
						sort,
						caption: "data sets",
						on_sort: (s) => go("/datasets", { sort: s }),
					}),
				)
			: h("p.note", "No data set yet. A run needs a labelled source and a target."),
		h(
			"section.card",
			h("h2", "Register a data set"),
			h("p.muted", "Images stay where they are; the daemon reads them and never writes there."),
			register_form(sets),
		),
	);
}

function preview(dataset, index) {
	const img = h("img", { alt: `image ${index} of ${dataset.name}`, class: "thumb" });
	picture(`/datasets/${dataset.id}/images/${index}/thumb.png`).then(
		(url) => {
			img.src = url;
		},
		() => img.remove(),
	);
	return img;
}

export async function dataset_page(ctx) {
	const d = await get(`/datasets/${ctx.params.id}`, null, ctx.signal);
	const trouble = h("div");
	async function drop() {
		const yes = await confirm_dialog({
			title: `Remove ${d.name} from the list?`,
			action: "Remove",
			danger: true,
			text: "Only the registration goes. The images and labels on disk are not touched.",
		});
		if (!yes) return;
		try {
			await remove(`/datasets/${d.id}`);
			forget();
			go("/datasets");
		} catch (e) {
			replace(trouble, problem_box(e));
		}
	}
	const shown = Math.min(PREVIEWS, d.images);
	const step = Math.max(1, Math.floor(d.images / Math.max(1, shown)));
	return h(
		"div",
		h("p.crumb", h("a", { href: "#/datasets" }, "Data sets")),
		h(
			"div.head",
			h("h1", d.name),
			h("span.muted", `${number(d.images)} images, ${number(d.labelled)} labelled`),
			h("div.buttons", h("button", { onclick: drop }, "Remove")),
		),
		trouble,
		h(
			"div.columns",
			h(
				"section.card",
				h("h2", "Where it lies"),
				h(
					"dl.facts",
					[
						["Layout", d.layout],
						["Folder", d.root],
						["Split", d.split],
						["Only stems like", d.include],
						["Class set", d.class_set],
					]
						.filter(([, v]) => v)
						.map(([k, v]) => [
							h("dt", k),
							h("dd", typeof v === "string" ? v : JSON.stringify(v)),
						]),
				),
			),
			h(
				"section.card",
				h("h2", `${d.classes.length} classes`),
				h(
					"ul.class-list",
					d.classes.map((c) => h("li", swatch(rgb(c.color)), h("span.muted.num", c.id), c.name)),
				),
			),
		),
		h(
			"section.card",
			h("h2", "Some of its images"),
			h(
				"div.thumbs",
				Array.from({ length: shown }, (_, i) => preview(d, i * step)),
			),
		),
	);
}
