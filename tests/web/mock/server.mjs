/* server: answers the dashboard like the daemon does, from invented data, with the same security headers.
 * It makes the tests of the pages fast and repeatable; the end-to-end test uses the daemon itself. */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fill_cityscapes } from "./cityscapes.mjs";
import { fill_experiments } from "./experiments.mjs";
import { Refusal, ROUTES } from "./routes.mjs";
import * as state from "./state.mjs";

const TYPES = {
	".html": "text/html; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".svg": "image/svg+xml",
	".json": "application/json",
};
const HEADERS = {
	"X-Content-Type-Options": "nosniff",
	"Referrer-Policy": "no-referrer",
	"Content-Security-Policy":
		"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

function stream(response, last_id) {
	response.writeHead(200, { ...HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
	const send = (e) => response.write(`id: ${e.id}\nevent: ${e.type}\ndata: ${JSON.stringify(e.data)}\n\n`);
	response.write("retry: 3000\n\n");
	state.events.filter((e) => last_id !== null && e.id > last_id).forEach(send);
	return send;
}

async function body_of(request) {
	const parts = [];
	for await (const part of request) parts.push(part);
	return Buffer.concat(parts);
}

/* Listens on a free port. -> {url, close(), drop_streams(), hold_streams(bool), resumed(): the last
 * Last-Event-ID a client came back with} */
export async function start_mock({ web, token, units = 4, every_ms = 150 }) {
	const open = new Set();
	let held = false,
		resumed = null;
	state.watch_events((e) => open.forEach((s) => s.send(e)));
	const timer = setInterval(() => state.tick(units), every_ms);

	async function api(request, response, url) {
		if (request.headers.authorization !== `Bearer ${token}`)
			throw new Refusal(401, "a bearer token is needed");
		const path = url.pathname.slice("/api/v1".length);
		if (path === "/events") {
			if (held) throw new Refusal(503, "no more streams");
			const last = request.headers["last-event-id"];
			resumed = last ?? resumed;
			const entry = { send: stream(response, last === undefined ? null : Number(last)), response };
			open.add(entry);
			request.on("close", () => open.delete(entry));
			return;
		}
		for (const { method, test, handler } of ROUTES) {
			const m = method === request.method && test.exec(path);
			if (!m) continue;
			const raw = await body_of(request);
			const json = (request.headers["content-type"] || "").startsWith("application/json");
			const answer = handler({
				...m.groups,
				q: url.searchParams,
				accept: request.headers.accept,
				raw,
				body: json ? JSON.parse(raw) : null,
			});
			if (answer === undefined) response.writeHead(204, HEADERS).end();
			else if (typeof answer === "string")
				response
					.writeHead(200, { ...HEADERS, "Content-Type": "text/csv; charset=utf-8" })
					.end(answer);
			else if (Buffer.isBuffer(answer))
				response
					.writeHead(200, {
						...HEADERS,
						"Content-Type": path.endsWith(".png") ? "image/png" : "application/octet-stream",
					})
					.end(answer);
			else
				response
					.writeHead(method === "POST" ? 201 : 200, {
						...HEADERS,
						"Content-Type": "application/json",
					})
					.end(JSON.stringify(answer));
			return;
		}
		throw new Refusal(404, `nothing at ${path}`);
	}
	async function file(response, path) {
		const name = normalize(path === "/" ? "/index.html" : path);
		try {
			const data = await readFile(join(web, name));
			response
				.writeHead(200, {
					...HEADERS,
					"Content-Type": TYPES[extname(name)] || "application/octet-stream",
				})
				.end(data);
		} catch {
			throw new Refusal(404, `no file ${path}`);
		}
	}
	const server = createServer(async (request, response) => {
		const url = new URL(request.url, "http://localhost");
		try {
			await (url.pathname.startsWith("/api/")
				? api(request, response, url)
				: file(response, url.pathname));
		} catch (e) {
			const status = e.status || 500;
			response
				.writeHead(status, { ...HEADERS, "Content-Type": "application/problem+json" })
				.end(JSON.stringify({ title: "Refused", status, detail: e.message, errors: e.errors }));
		}
	});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
	const drop_streams = () => open.forEach((s) => s.response.destroy());
	return {
		url: `http://127.0.0.1:${server.address().port}`,
		drop_streams,
		hold_streams: (on) => {
			held = on;
		},
		resumed: () => resumed,
		close: () => {
			clearInterval(timer);
			drop_streams();
			server.closeAllConnections();
			server.close();
		},
	};
}

/* A completed, a failed and a paused run. */
export function fill() {
	const config = (name, preset) => ({
		name,
		...state.PRESETS.find((p) => p.name === preset).config,
		source: "carla-day",
		target: "camvid-dusk",
		eval: "camvid-dusk",
	});
	state.add_run(config("carla-to-dusk tpld", "tpld"), "completed", 1);
	const failed = state.add_run(config("high learning rate", "cbst"), null, 0.3);
	failed.error =
		"loss is not a number at step 12 of phase1_training, round 1; the last good checkpoint is that of round 0";
	state.set_state(failed, "failed", "nan");
	state.add_run(config("carla-to-dusk mrkld", "crst-mrkld"), "paused", 0.55).unjudged = true;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
	fill();
	fill_experiments();
	fill_cityscapes();
	const mock = await start_mock({ web: process.argv[2], token: "mock" });
	console.log(`${mock.url}/#token=mock`);
}
