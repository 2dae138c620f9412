/* router: hash routes ("#/runs/3/images?split=hard") to page modules. A page is
 *   async function page(ctx) -> Node
 * with ctx = {params, query, signal, path}: the router shows the node once it is ready, so a slow
 * answer never blanks the screen. `signal` aborts when the user leaves. */

const routes = [];
let outlet = null,
	current = null,
	on_change = () => {},
	on_error = () => {};

/* route("/runs/:id", page): ":x" matches one segment. */
export function route(pattern, page) {
	routes.push({ parts: pattern.split("/").filter(Boolean), page });
}

export function parse_hash(hash) {
	const text = hash.replace(/^#/, "") || "/";
	const at = text.indexOf("?");
	const path = at < 0 ? text : text.slice(0, at);
	const query = Object.fromEntries(new URLSearchParams(at < 0 ? "" : text.slice(at + 1)));
	return { path, query };
}

export function href(path, query) {
	const q = new URLSearchParams();
	for (const [key, value] of Object.entries(query || {}))
		if (value !== null && value !== undefined && value !== "") q.set(key, value);
	const text = q.toString();
	return `#${path}${text ? `?${text}` : ""}`;
}

export function go(path, query) {
	const target = href(path, query);
	if (location.hash === target) show();
	else location.hash = target;
}

/* Changes the query in place: no history entry, no new rendering. */
export function set_query(changes) {
	const { path, query } = parse_hash(location.hash);
	Object.assign(query, changes);
	history.replaceState(null, "", href(path, query));
	if (current) Object.assign(current.query, changes);
}

function match(path) {
	const segments = path.split("/").filter(Boolean).map(decodeURIComponent);
	for (const { parts, page } of routes) {
		if (parts.length !== segments.length) continue;
		if (!parts.every((p, i) => p.startsWith(":") || p === segments[i])) continue;
		const params = {};
		parts.forEach((p, i) => p.startsWith(":") && (params[p.slice(1)] = segments[i]));
		return { page, params };
	}
	return null;
}

/* The same control keeps the keyboard after a page was drawn anew. */
function swap(node, same_page) {
	const id = document.activeElement && document.activeElement.id;
	const y = window.scrollY;
	outlet.replaceChildren(node);
	if (id && document.getElementById(id)) document.getElementById(id).focus({ preventScroll: true });
	window.scrollTo(0, same_page ? y : 0);
}

export async function show() {
	const { path, query } = parse_hash(location.hash);
	const found = match(path);
	if (!found) {
		location.replace(href("/runs"));
		return;
	}
	const before = current;
	if (before) before.abort.abort();
	const abort = new AbortController();
	const mine = { abort, query, path };
	current = mine;
	on_change(path);
	outlet.setAttribute("aria-busy", "true");
	let node;
	try {
		node = await found.page({ params: found.params, query, path, signal: abort.signal });
	} catch (e) {
		if (abort.signal.aborted) return;
		node = on_error(e);
	}
	if (current !== mine) return;
	swap(node, before && before.path === path);
	outlet.removeAttribute("aria-busy");
}

export function start(el, hooks) {
	outlet = el;
	on_change = hooks.on_change;
	on_error = hooks.on_error;
	window.addEventListener("hashchange", show);
	show();
}

export function stop() {
	window.removeEventListener("hashchange", show);
	if (current) current.abort.abort();
	current = null;
}
