/* json_place: where the value that a JSON pointer names stands in a JSON text, so that an error can be shown
 * at its line. */

const SPACE = /\s/;

function skip_space(text, at) {
	while (at < text.length && SPACE.test(text[at])) at++;
	return at;
}

/* End of the string that begins at `at`. */
function end_of_string(text, at) {
	for (at++; at < text.length && text[at] !== '"'; at++) if (text[at] === "\\") at++;
	return at + 1;
}

/* Walks one value; calls visit(pointer, from, to) for it and all below. Returns where it ends. The text has
 * been parsed before, so it is known to be JSON. */
function walk(text, from, pointer, visit) {
	let at = from;
	const open = text[at];
	if (open === '"') {
		at = end_of_string(text, at);
	} else if (open === "{" || open === "[") {
		const close = open === "{" ? "}" : "]";
		at = skip_space(text, at + 1);
		for (let i = 0; text[at] !== close; i++) {
			let key = i;
			if (open === "{") {
				const end = end_of_string(text, at);
				key = JSON.parse(text.slice(at, end)).replaceAll("~", "~0").replaceAll("/", "~1");
				at = skip_space(text, skip_space(text, end) + 1);
			}
			at = skip_space(text, walk(text, at, `${pointer}/${key}`, visit));
			if (text[at] === ",") at = skip_space(text, at + 1);
		}
		at++;
	} else {
		while (at < text.length && !SPACE.test(text[at]) && !",]}".includes(text[at])) at++;
	}
	visit(pointer, from, at);
	return at;
}

/* {from, to, line} of the value, or of the nearest one around it where it is missing; null when the text is no
 * JSON. Lines count from 1. */
export function place_of(text, pointer) {
	try {
		JSON.parse(text);
	} catch {
		return null;
	}
	const places = new Map();
	walk(text, skip_space(text, 0), "", (p, from, to) => places.set(p, { from, to }));
	let p = pointer;
	while (p && !places.has(p)) p = p.slice(0, p.lastIndexOf("/"));
	const found = places.get(p);
	return { ...found, line: text.slice(0, found.from).split("\n").length };
}
