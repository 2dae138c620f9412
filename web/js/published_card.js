/* published_card: a run's IoU beside a row of the published tables, class by class. */

import { datasets } from "./catalog.js";
import { h } from "./dom.js";
import { is_number, is_source, percent, round_name, signed_percent } from "./format.js";
import { default_row, fits, means, other_setting, PAIRS, published_tables } from "./published.js";
import { go } from "./router.js";
import { sort_table, swatch, tile } from "./widgets.js";

const NONE = "none";
const ROUNDING = 0.0006; /* a printed mean that is farther from its row's was not only rounded */

function setting(row) {
	return `${PAIRS[row.pair]}, ${row.backbone}`;
}

function row_select(tables, chosen, ctx) {
	const groups = [...new Set(tables.rows.map(setting))];
	/* Number-like keys come in rising order; the mean of more classes stands first. */
	const miou = (row) =>
		Object.values(row.miou)
			.map((v) => percent(v))
			.reverse()
			.join(" / ");
	return h(
		"label.inline",
		"published row",
		h(
			"select",
			{
				id: "published-row",
				value: chosen ? chosen.id : NONE,
				onchange: (e) => go(ctx.path, { ...ctx.query, published: e.target.value }),
			},
			h("option", { value: NONE }, "none"),
			groups.map((label) =>
				h(
					"optgroup",
					{ label },
					tables.rows
						.filter((r) => setting(r) === label)
						.map((r) => h("option", { value: r.id }, `${r.method}, ${miou(r)} %`)),
				),
			),
		),
	);
}

function sign_class(difference) {
	return difference > 0 ? "good-text" : difference < 0 ? "bad-text" : null;
}

function mean_tile(m) {
	const misprinted = m.printed !== null && Math.abs(m.printed - m.published) > ROUNDING;
	const published = `${percent(m.published)} published${misprinted ? ` (printed as ${percent(m.printed)})` : ""}`;
	return tile(
		m.printed === null
			? `Mean of the ${m.names.length} classes in both, %`
			: `mIoU, ${m.names.length} classes, %`,
		percent(m.run),
		`${published}, ${signed_percent(m.run - m.published)} points`,
		sign_class(m.run - m.published),
	);
}

/* Both values on a line from 0 to 100 %; the numbers stand beside it. */
function track({ run, published }) {
	const both = is_number(run) && is_number(published);
	const at = (v) => ({ left: `${100 * v}%` });
	return h(
		"div.versus",
		{ "aria-hidden": "true" },
		both
			? h(`span.versus-gap.${run < published ? "down" : "up"}`, {
					style: { ...at(Math.min(run, published)), width: `${100 * Math.abs(run - published)}%` },
				})
			: null,
		is_number(published) ? h("span.versus-published", { style: at(published) }) : null,
		is_number(run) ? h("span.versus-run", { style: at(run) }) : null,
	);
}

function class_table(rows, ctx) {
	const difference = (r) => (is_number(r.run) && is_number(r.published) ? r.run - r.published : null);
	const columns = [
		{
			key: "order",
			label: "Class",
			value: (r) => r.id,
			cell: (r) => h("span.inline", swatch(r.color), r.name),
		},
		{
			key: "track",
			label: h(
				"span.inline",
				h("span.versus-run.key"),
				"run",
				h("span.versus-published.key"),
				"published",
			),
			title: "from 0 to 100 %",
			cls: "versus-cell",
			cell: track,
		},
		{ key: "run", label: "Run %", num: true, value: (r) => r.run, cell: (r) => percent(r.run) },
		{
			key: "published",
			label: "Published %",
			num: true,
			value: (r) => r.published,
			cell: (r) => percent(r.published),
		},
		{
			key: "difference",
			label: "Difference",
			num: true,
			title: "run minus published, points",
			value: difference,
			cell: (r) => h("strong", { class: sign_class(difference(r)) }, signed_percent(difference(r))),
		},
	];
	return sort_table({
		columns,
		rows,
		sort: ctx.query.published_sort || "order",
		caption: "IoU of each class beside the published one",
		on_sort: (published_sort) => go(ctx.path, { ...ctx.query, published_sort }),
	});
}

function comparison(tables, row, run, point, classes, sets, ctx) {
	const rows = classes.map((c) => ({
		...c,
		run: point.iou[c.id],
		published: row.iou[c.name] ?? null,
	}));
	const iou = Object.fromEntries(rows.map((r) => [r.name, r.run]));
	const others = other_setting(tables, row, run, sets);
	const model = is_source(point.round) ? "the source model" : `the model after ${round_name(point.round)}`;
	return [
		h("p", `This run, ${model}, beside `, h("strong", row.method), `, ${setting(row)}.`),
		h("div.tiles", means(tables, row, iou).map(mean_tile)),
		row.note ? h("p", h("span.chip.alarmed", "doubtful"), " ", row.note) : null,
		others.length
			? h("p", h("span.chip.alarmed", "another setting"), " ", `${others.join("; ")}.`)
			: null,
		class_table(rows, ctx),
		h("p.muted", `Source of the row: ${tables.sources[row.source]}.`),
	];
}

/* null where the run's classes are not those of the tables. */
export async function published_card(run, iou, classes, ctx) {
	const [tables, sets] = await Promise.all([published_tables(), datasets()]);
	if (!fits(tables, iou.classes)) return null;
	const wanted = ctx.query.published;
	const row = wanted ? tables.rows.find((r) => r.id === wanted) || null : default_row(tables, run, sets);
	return h(
		"section.card.published",
		h(
			"div.card-head",
			h("h2", "Compare with published results"),
			h("div.tools", row_select(tables, row, ctx)),
		),
		row
			? comparison(tables, row, run, iou.points.at(-1), classes, sets, ctx)
			: h("p.muted", "Choose a row of the papers' tables to see it beside this run, class by class."),
	);
}
