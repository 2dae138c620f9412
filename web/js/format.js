/* format: numbers, times and a run's state in words. */

const DASH = "–";

export function is_number(x) {
	return typeof x === "number" && Number.isFinite(x);
}

/* 0.4127 -> "41.3"; the unit (%) is in the heading. */
export function percent(x, digits = 1) {
	return is_number(x) ? (100 * x).toFixed(digits) : DASH;
}

export function signed_percent(x, digits = 1) {
	if (!is_number(x)) return DASH;
	const text = Math.abs(100 * x).toFixed(digits);
	return Number(text) === 0 ? "0.0" : (x > 0 ? "+" : "−") + text;
}

/* A mean and its standard deviation: "50.2 ± 0.6"; one value has no deviation. */
export function with_deviation(spread, show = percent) {
	if (!spread || !is_number(spread.mean)) return DASH;
	return is_number(spread.deviation)
		? `${show(spread.mean)} ± ${percent(spread.deviation)}`
		: show(spread.mean);
}

/* Digits beyond the third say nothing. */
export function p_value(p) {
	if (!is_number(p)) return DASH;
	return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

/* "1 seed", "3 seeds" */
export function count(n, word) {
	return `${number(n)} ${word}${n === 1 ? "" : "s"}`;
}

export function fixed(x, digits = 3) {
	return is_number(x) ? x.toFixed(digits) : DASH;
}

/* Short but exact enough: 12345 -> "12,345", 0.00012 -> "1.2e-4". */
export function number(x) {
	if (!is_number(x)) return DASH;
	if (Number.isInteger(x)) return x.toLocaleString("en-US");
	const a = Math.abs(x);
	return a !== 0 && (a < 1e-3 || a >= 1e6) ? x.toExponential(2) : Number(x.toPrecision(4)).toString();
}

export function bytes(n) {
	if (!is_number(n)) return DASH;
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let i = 0;
	for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
	return `${i === 0 ? n : n.toFixed(n < 10 ? 2 : n < 100 ? 1 : 0)} ${units[i]}`;
}

export function duration(seconds) {
	if (!is_number(seconds) || seconds < 0) return DASH;
	const s = Math.round(seconds);
	if (s < 60) return `${s} s`;
	if (s < 3600) return s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.round(s / 60)} min`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
	return `${Math.floor(s / 86400)} d ${Math.round((s % 86400) / 3600)} h`;
}

/* Times come as RFC 3339 text or as milliseconds since 1970. */
export function time(t) {
	if (t === null || t === undefined || t === "") return DASH;
	const d = new Date(t);
	if (Number.isNaN(d.getTime())) return String(t);
	const two = (n) => String(n).padStart(2, "0");
	return (
		`${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ` +
		`${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`
	);
}

export const FINAL = new Set(["completed", "failed", "cancelled"]);
export const LIVE = new Set(["starting", "running", "pausing", "cancelling", "completing"]);

export const PHASES = {
	source_training: "source training",
	entropy_training: "entropy training",
	norm_alignment: "norm alignment",
	scoring: "scoring",
	phase1_training: "phase 1 training",
	phase2_training: "phase 2 training",
	evaluation: "evaluation",
};

export function phase_name(phase) {
	return PHASES[phase] || (phase ? String(phase).replaceAll("_", " ") : DASH);
}

/* Rounds count from 0; the source model comes before round 0 and has none. */
export function is_source(round) {
	return round === null || round === undefined || round < 0;
}
export function round_name(round) {
	return is_source(round) ? "source" : `round ${round}`;
}

export function round_of(run) {
	if (is_source(run.round)) return "source model";
	return run.rounds_total
		? `round ${run.round} (${run.round + 1} of ${run.rounds_total})`
		: `round ${run.round}`;
}

function unit(phase) {
	return phase === "scoring" || phase === "evaluation" ? "image" : "step";
}

/* "Round 2 (3 of 5), scoring, image 40 of 120, 3 min left" */
export function sentence(run) {
	const where = [round_of(run), phase_name(run.phase)];
	if (run.steps_total) where.push(`${unit(run.phase)} ${number(run.step)} of ${number(run.steps_total)}`);
	const here = where.join(", ");
	switch (run.state) {
		case "queued":
			return run.step || !is_source(run.round)
				? `Waiting for the cores, will continue at ${here}.`
				: "Waiting for the cores: one run trains at a time, in the order of their numbers.";
		case "starting":
			return "Starting: reading the data and building the network.";
		case "running":
			return (
				`${here[0].toUpperCase()}${here.slice(1)}` +
				(is_number(run.eta_seconds) && run.eta_seconds >= 0
					? `, about ${duration(run.eta_seconds)} left.`
					: ".")
			);
		case "pausing":
			return `Pausing after this step: ${here}.`;
		case "paused":
			return `Paused at ${here}. Cores and memory are free; resume continues exactly there.`;
		case "cancelling":
			return `Stopping: ${here}.`;
		case "completing":
			return "Writing the last files.";
		case "completed":
			if (run.rounds_total && is_source(run.round))
				return "The alignment of the batch norms was taken back, and without it nothing is taught: the source model is the result (norm_alignment.required: false teaches all the same).";
			return run.rounds_total ? `All ${run.rounds_total} rounds are done.` : "Done.";
		case "failed":
			return `Failed at ${here}. Resume tries again from the last checkpoint.`;
		case "cancelled":
			return `Cancelled at ${here}. What was finished before is kept.`;
		case "interrupted":
			return `The daemon was interrupted at ${here}; the run continues from its last checkpoint.`;
		default:
			return here;
	}
}
