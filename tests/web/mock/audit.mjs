/* audit: what the pretended daemon found when it judged a round's pseudo labels. Sidewalk grows and eats the
 * road, as it does where a network believes its own labels. */
import { CLASSES, random } from "./scene.mjs";

const GROWTH = { sidewalk: 1.19, road: 0.93, bicyclist: 0.6 },
	DRIFT = 1.5,
	DRIFT_POINTS = 0.01,
	COLLAPSE = 0.2,
	COLLAPSE_FROM = 0.001;

const START = CLASSES.map((c) =>
	c.name === "fence" ? 0 : c.name === "bicyclist" ? 0.004 : 0.02 + 0.2 * random(c.id + 17)(),
);

function shares(round) {
	const grown = CLASSES.map((c, k) => START[k] * (GROWTH[c.name] ?? 1) ** round);
	const sum = grown.reduce((a, b) => a + b, 0);
	return grown.map((v) => v / sum);
}

/* truth: whether the target has labels; soft: whether easy images are labelled in full. */
function class_audit(k, round, truth, soft) {
	const r = random(400 + k + 31 * round);
	const now = shares(round)[k];
	const origin = (coverage, accuracy) => ({
		coverage,
		accuracy: truth && now > 0 && coverage > 0 ? accuracy : null,
		pixels: truth ? Math.round(2e6 * now * coverage) : 0,
	});
	const confident = 0.2 + 0.05 * round;
	return {
		share: now,
		share_first: shares(0)[k],
		share_previous: round > 0 ? shares(round - 1)[k] : null,
		entropy: now > 0 ? 0.12 + 0.2 * r() : 0,
		agreement: round > 0 && now > 0 ? 0.8 + 0.15 * r() : null,
		confident: origin(confident, 0.93 - 0.012 * round + 0.05 * r()),
		voted: origin(0.09, 0.74 - 0.01 * round + 0.1 * r()),
		soft: origin(soft ? 0.12 : 0, 0.6 + 0.1 * r()),
		threshold_accuracy: truth && now > 0 ? 0.91 - 0.01 * round + 0.06 * r() : null,
	};
}

function mean_right(classes, kinds) {
	let pixels = 0,
		right = 0;
	for (const c of classes)
		for (const kind of kinds)
			if (c[kind].accuracy !== null) {
				pixels += c[kind].pixels;
				right += c[kind].pixels * c[kind].accuracy;
			}
	return pixels ? right / pixels : null;
}

export function audit(round, truth, soft) {
	const classes = CLASSES.map((_, k) => class_audit(k, round, truth, soft));
	return {
		entropy: 0.24 - 0.02 * round,
		flip_agreement: 0.93 + 0.005 * round,
		agreement: round > 0 ? 0.86 + 0.02 * round : null,
		label_agreement: round > 0 ? 0.97 + 0.004 * round : null,
		truth_pixels: truth ? 1228800 : 0,
		accuracy: {
			confident: mean_right(classes, ["confident"]),
			voted: mean_right(classes, ["voted"]),
			soft: mean_right(classes, ["soft"]),
			all: mean_right(classes, ["confident", "voted", "soft"]),
			threshold: truth ? 0.935 - 0.011 * round : null,
		},
		classes,
	};
}

export function alarms(round) {
	const now = shares(round),
		first = shares(0);
	return CLASSES.flatMap((c, k) => {
		const ratio = now[k] / first[k];
		const text = `${c.name} went from ${(100 * first[k]).toFixed(2)} % of the predicted pixels in round 0 to ${(100 * now[k]).toFixed(2)} %`;
		if (first[k] >= COLLAPSE_FROM && ratio < COLLAPSE)
			return [{ kind: "class_collapsed", class: k, text, value: now[k], limit: COLLAPSE * first[k] }];
		if (Math.abs(now[k] - first[k]) >= DRIFT_POINTS && (ratio > DRIFT || ratio < 1 / DRIFT))
			return [{ kind: "class_drift", class: k, text, value: now[k], limit: DRIFT * first[k] }];
		return [];
	});
}
