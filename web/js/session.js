/* session: the token of this tab. Tabs of the same origin that are signed in pass it to a new one, so that a
 * link opened in another tab does not ask again; it is never written to disk. */

import { set_token, token } from "./api.js";

const WAIT_MS = 250;

let channel = null;

/* Answers other tabs from now on. */
function listen() {
	channel = new BroadcastChannel("tpldd");
	channel.addEventListener("message", ({ data }) => {
		if (data.want && token()) channel.postMessage({ token: token() });
	});
}

/* True once this tab has a token: its own, or one that another tab gave. */
export async function find_token() {
	listen();
	if (token()) return true;
	return new Promise((resolve) => {
		const done = (found) => {
			clearTimeout(timer);
			channel.removeEventListener("message", receive);
			resolve(found);
		};
		const receive = ({ data }) => {
			if (!data.token) return;
			set_token(data.token);
			done(true);
		};
		const timer = setTimeout(() => done(false), WAIT_MS);
		channel.addEventListener("message", receive);
		channel.postMessage({ want: true });
	});
}
