/* api: the daemon's REST interface over fetch, with the bearer token in the Authorization header (never
 * in a URL). Pictures become blob URLs, kept in a small least-recently-used cache. */

const TOKEN_KEY = "tpldd.token";
const BLOBS_MAX = 400;

/* An answer that is not 2xx: RFC 9457 problem+json where the server gave one. */
export class Problem extends Error {
	constructor(status, body, request_id) {
		super(body.detail || body.title || `HTTP ${status}`);
		this.status = status;
		this.title = body.title || `HTTP ${status}`;
		this.errors = Array.isArray(body.errors) ? body.errors : [];
		this.request_id = request_id;
	}
}

let on_unauthorized = () => {};
export function set_unauthorized(f) {
	on_unauthorized = f;
}

export function token() {
	return sessionStorage.getItem(TOKEN_KEY) || "";
}
export function set_token(t) {
	if (t) sessionStorage.setItem(TOKEN_KEY, t);
	else sessionStorage.removeItem(TOKEN_KEY);
}

export function auth_headers(extra) {
	const headers = new Headers(extra);
	if (token()) headers.set("Authorization", `Bearer ${token()}`);
	return headers;
}

async function problem_of(response) {
	let body = {};
	try {
		body = await response.json();
	} catch {
		/* Not JSON: the status line is all there is to say. */
	}
	return new Problem(response.status, body, response.headers.get("X-Request-Id"));
}

export async function request(path, { method = "GET", body, type, accept, signal } = {}) {
	const headers = auth_headers({ Accept: accept || "application/json" });
	if (body !== undefined) headers.set("Content-Type", type || "application/json");
	let response;
	try {
		response = await fetch(path, { method, headers, body, signal, cache: "no-cache" });
	} catch (e) {
		if (e.name === "AbortError") throw e;
		throw new Problem(0, { title: "No answer", detail: "The daemon cannot be reached." });
	}
	if (response.status === 401) on_unauthorized();
	if (!response.ok) throw await problem_of(response);
	return response;
}

export const V1 = "/api/v1";

/* query({a: 1, b: null}) -> "?a=1" */
export function query(params) {
	const q = new URLSearchParams();
	for (const [key, value] of Object.entries(params || {}))
		if (value !== null && value !== undefined && value !== "") q.set(key, value);
	const text = q.toString();
	return text ? `?${text}` : "";
}

export async function get(path, params, signal) {
	return (await request(V1 + path + query(params), { signal })).json();
}
export async function post(path, data, signal) {
	const body = data === undefined ? undefined : JSON.stringify(data);
	const response = await request(V1 + path, { method: "POST", body, signal });
	const text = await response.text();
	return text ? JSON.parse(text) : null;
}
export async function remove(path) {
	await request(V1 + path, { method: "DELETE" });
}

/* Lists come as {items, next_cursor}; short ones may be plain arrays. */
export function items_of(answer) {
	return Array.isArray(answer) ? answer : answer.items || [];
}

/* All pages of a list, at most `max` items. `complete` says whether that was all. */
export async function get_all(path, params, max, signal) {
	const items = [];
	let cursor = null;
	do {
		const page = await get(path, { ...params, limit: 500, cursor }, signal);
		items.push(...items_of(page));
		cursor = Array.isArray(page) ? null : page.next_cursor;
	} while (cursor && items.length < max);
	return { items, complete: !cursor };
}

/* Uploads with progress, which fetch cannot report. */
export function upload(path, file, on_progress) {
	return new Promise((resolve, reject) => {
		const x = new XMLHttpRequest();
		x.open("POST", V1 + path);
		auth_headers().forEach((value, name) => x.setRequestHeader(name, value));
		x.setRequestHeader("Content-Type", "application/octet-stream");
		x.upload.onprogress = (e) => e.lengthComputable && on_progress(e.loaded / e.total);
		x.onerror = () => reject(new Problem(0, { detail: "The upload broke off." }));
		x.onload = () => {
			let body = {};
			try {
				body = JSON.parse(x.responseText);
			} catch {
				/* as in problem_of */
			}
			if (x.status >= 200 && x.status < 300) resolve(body);
			else reject(new Problem(x.status, body, x.getResponseHeader("X-Request-Id")));
		};
		x.send(file);
	});
}

/* Fetches a file with the token and hands it to the browser's download. */
export async function download(path, name, accept = "*/*") {
	const response = await request(V1 + path, { accept });
	const url = URL.createObjectURL(await response.blob());
	const a = document.createElement("a");
	a.href = url;
	a.download = name;
	a.click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}

const blobs = new Map(); /* path -> Promise of an object URL; insertion order = age of last use */

/* Object URL of a picture. A picture of a round never changes, so it may be kept. */
export function picture(path) {
	let url = blobs.get(path);
	if (url) {
		blobs.delete(path);
	} else {
		url = request(V1 + path, { accept: "image/png" })
			.then((response) => response.blob())
			.then((blob) => URL.createObjectURL(blob));
		url.catch(() => blobs.delete(path));
	}
	blobs.set(path, url);
	if (blobs.size > BLOBS_MAX) {
		const [oldest, promise] = blobs.entries().next().value;
		blobs.delete(oldest);
		promise.then(
			(u) => URL.revokeObjectURL(u),
			() => {},
		);
	}
	return url;
}

export async function bytes(path, signal) {
	const response = await request(V1 + path, { accept: "*/*", signal });
	return response.arrayBuffer();
}
