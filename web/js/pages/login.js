/* login: asks for the bearer token and tries it before going on. */

import { h } from "../dom.js";
import { V1 } from "../api.js";

export function login_page(on_token, message) {
	const input = h("input", {
		type: "password",
		id: "token",
		name: "token",
		autocomplete: "current-password",
		required: true,
		spellcheck: "false",
	});
	const error = h("p.error", { role: "alert" }, message || "");
	async function submit(event) {
		event.preventDefault();
		const t = input.value.trim();
		error.textContent = "";
		try {
			const response = await fetch(`${V1}/runs?limit=1`, { headers: { Authorization: `Bearer ${t}` } });
			if (response.ok) return on_token(t);
			error.textContent =
				response.status === 401
					? "The daemon does not accept this token."
					: `The daemon answered ${response.status}.`;
		} catch {
			error.textContent = "The daemon cannot be reached, or this is not a valid token.";
		}
		input.focus();
		return undefined;
	}
	return h(
		"form.card.login",
		{ onsubmit: submit },
		h("h1", "tpldd"),
		h(
			"p",
			"Sign in with the bearer token. The daemon wrote it into the file ",
			h("code", "token"),
			" of its state directory on the first start.",
		),
		h("label.field", h("span.label", "Token"), input),
		error,
		h("div.buttons", h("button.primary", { type: "submit" }, "Sign in")),
	);
}
