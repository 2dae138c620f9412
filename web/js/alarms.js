/* alarms: what the daemon found wrong with a round's pseudo labels, in its own words. */

import { h } from "./dom.js";
import { is_number, percent, round_name } from "./format.js";
import { swatch } from "./widgets.js";

function item(alarm, classes) {
	const c = is_number(alarm.class) ? classes[alarm.class] : null;
	const kind = String(alarm.kind || "").replaceAll("_", " ");
	const limit = is_number(alarm.limit) ? `${kind}, limit ${percent(alarm.limit)} %` : kind;
	return h(
		"li",
		c ? [swatch(c.color), " "] : null,
		h("span", alarm.text),
		" ",
		h("span.muted.nowrap", `(${limit})`),
	);
}

export function alarm_list(alarms, classes) {
	return h(
		"ul.alarm-list",
		alarms.map((a) => item(a, classes)),
	);
}

/* The box above everything else on a run's page: the newest alarms, and which rounds before had any. Nothing
 * when there are none; open(round) leads to the round's classes. */
export function alarm_box(rounds, classes, open) {
	const loud = rounds.filter((r) => r.alarms && r.alarms.length);
	if (!loud.length) return null;
	const last = loud[loud.length - 1];
	const before = loud.slice(0, -1).map((r) => r.round);
	const n = last.alarms.length;
	const when = last === rounds[rounds.length - 1] ? "the newest" : "none in the rounds since";
	return h(
		"section.alarm",
		{ role: "alert" },
		h(
			"p",
			h("span.alarm-sign", { "aria-hidden": "true" }, "!"),
			h("strong", ` ${n === 1 ? "One alarm" : `${n} alarms`} in ${round_name(last.round)}, ${when}`),
		),
		alarm_list(last.alarms, classes),
		h(
			"p.alarm-more",
			h(
				"button.small",
				{ id: "alarm-open", onclick: () => open(last.round) },
				"Show the classes of that round",
			),
			before.length
				? h(
						"span.muted",
						`earlier alarms: ${before.length === 1 ? "round" : "rounds"} ${before.join(", ")}`,
					)
				: null,
		),
	);
}
