/* events: one server-sent event stream for the page, read through fetch because EventSource cannot send
 * the Authorization header. Events are hints to read again; what a page shows always comes from GET,
 * so a lost, late or repeated event can do no harm. While there is no stream, subscribers are called
 * every few seconds instead; and rarely even with one. */

import { auth_headers, token, V1 } from "./api.js";

const POLL_MS = 3000,
	CALM_MS = 20000,
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 15000;

const listeners = new Set();
let status = "off",
	on_status = () => {};
let abort = null,
	last_id = null,
	retry_ms = RETRY_MIN_MS,
	timer = null;

function set_status(s) {
	if (s === status) return;
	status = s;
	on_status(s);
	schedule_poll();
}

export function watch_status(f) {
	on_status = f;
	f(status);
}

function emit(event) {
	for (const f of [...listeners]) f(event);
}

function schedule_poll() {
	clearInterval(timer);
	timer = setInterval(
		() => {
			if (!document.hidden) emit({ type: "poll", run: null, data: null });
		},
		status === "live" ? CALM_MS : POLL_MS,
	);
}

/* f({type, run, data}); run is null when the event concerns no single run. Ends with `signal`. */
export function subscribe(f, signal) {
	if (signal && signal.aborted) return;
	listeners.add(f);
	if (signal) signal.addEventListener("abort", () => listeners.delete(f), { once: true });
}

/* Splits a text/event-stream into events; feed() takes chunks as they come. */
export function parser(on_event) {
	let buffer = "",
		type = "",
		data = [],
		id = null;
	function line(text) {
		if (text === "") {
			if (data.length) on_event({ type: type || "message", data: data.join("\n"), id });
			type = "";
			data = [];
			return;
		}
		if (text.startsWith(":")) return;
		const at = text.indexOf(":");
		const field = at < 0 ? text : text.slice(0, at);
		const value = at < 0 ? "" : text.slice(at + 1).replace(/^ /, "");
		if (field === "event") type = value;
		else if (field === "data") data.push(value);
		else if (field === "id") id = value;
	}
	return (chunk) => {
		buffer += chunk;
		const lines = buffer.split(/\r?\n/);
		buffer = lines.pop();
		lines.forEach(line);
	};
}

function received({ type, data, id }) {
	if (id !== null) last_id = id;
	let value = null;
	try {
		value = JSON.parse(data);
	} catch {
		/* A hint without content is still a hint. */
	}
	const run = value && value.run !== undefined ? value.run : null;
	emit({ type, run: run && typeof run === "object" ? run.id : run, data: value });
}

async function read_stream(signal) {
	const headers = auth_headers({ Accept: "text/event-stream" });
	if (last_id !== null) headers.set("Last-Event-ID", last_id);
	const response = await fetch(`${V1}/events`, { headers, signal, cache: "no-store" });
	if (!response.ok || !response.body) throw new Error(`HTTP ${response.status}`);
	set_status("live");
	retry_ms = RETRY_MIN_MS;
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	const feed = parser(received);
	for (;;) {
		const { value, done } = await reader.read();
		if (done) return;
		feed(value);
	}
}

async function keep_reading(signal) {
	while (!signal.aborted) {
		try {
			await read_stream(signal);
		} catch {
			/* Polling takes over until the next attempt. */
		}
		if (signal.aborted) return;
		set_status("polling");
		await new Promise((resolve) => setTimeout(resolve, retry_ms));
		retry_ms = Math.min(retry_ms * 2, RETRY_MAX_MS);
	}
}

export function connect() {
	disconnect();
	if (!token()) return;
	abort = new AbortController();
	set_status("connecting");
	keep_reading(abort.signal);
}

export function disconnect() {
	if (abort) abort.abort();
	abort = null;
	clearInterval(timer);
	status = "off";
	on_status(status);
}

/* A hidden tab gives its connection back; browsers allow only six to a server. */
document.addEventListener("visibilitychange", () => {
	if (document.hidden && abort) {
		disconnect();
	} else if (!document.hidden && !abort && token()) {
		connect();
		emit({ type: "poll", run: null, data: null });
	}
});
