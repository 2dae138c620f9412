/* dom: building elements. Text only ever becomes text nodes, so data cannot become markup; styles go
 * through the CSSOM, which the strict Content-Security-Policy allows. */

const SVG = "http://www.w3.org/2000/svg";

function set_prop(el, key, value) {
	if (value === null || value === undefined || value === false) return;
	if (key === "class") el.classList.add(...value.split(" ").filter(Boolean));
	else if (key === "style") for (const [name, v] of Object.entries(value)) el.style.setProperty(name, v);
	else if (key === "data") for (const [name, v] of Object.entries(value)) el.dataset[name] = v;
	else if (key.startsWith("on")) el.addEventListener(key.slice(2), value);
	else if (
		key === "value" ||
		key === "checked" ||
		key === "disabled" ||
		key === "selected" ||
		key === "indeterminate" ||
		key === "hidden"
	)
		el[key] = value;
	else el.setAttribute(key, value === true ? "" : value);
}

function append(el, child) {
	if (child === null || child === undefined || child === false) return;
	if (Array.isArray(child)) child.forEach((c) => append(el, c));
	else el.append(child instanceof Node ? child : String(child));
}

function is_props(x) {
	return x !== null && typeof x === "object" && !Array.isArray(x) && !(x instanceof Node);
}

/* h("p.muted.small", {id: "x", onclick: f}, "text", node, [nodes]): classes may follow the tag, the
 * properties may be left out. */
export function h(name, ...rest) {
	const [tag, ...classes] = name.split(".");
	const props = is_props(rest[0]) ? rest.shift() : {};
	const el = document.createElement(tag);
	el.classList.add(...classes);
	if (tag === "button") el.type = "button"; /* submitting is asked for, never the default */
	append(el, rest);
	/* After the children: a <select>'s value needs its options. */
	for (const [key, value] of Object.entries(props)) set_prop(el, key, value);
	return el;
}

export function svg(tag, props, ...children) {
	const el = document.createElementNS(SVG, tag);
	for (const [key, value] of Object.entries(props || {})) set_prop(el, key, value);
	append(el, children);
	return el;
}

export function replace(el, ...children) {
	el.replaceChildren();
	append(el, children);
	return el;
}

/* Calls f at most once per `ms`, the last call included. */
export function throttle(f, ms) {
	let timer = null,
		last = -Infinity;
	return () => {
		if (timer !== null) return;
		const wait = Math.max(0, last + ms - performance.now());
		timer = setTimeout(() => {
			timer = null;
			last = performance.now();
			f();
		}, wait);
	};
}

/* Calls f once things have been quiet for `ms`. */
export function debounce(f, ms) {
	let timer = null;
	return (...args) => {
		clearTimeout(timer);
		timer = setTimeout(() => f(...args), ms);
	};
}
