/* main: sign in, the frame around the pages, routes. */

import { set_token, set_unauthorized } from "./api.js";
import { forget } from "./catalog.js";
import { h, replace, svg } from "./dom.js";
import { connect, disconnect, watch_status } from "./events.js";
import * as router from "./router.js";
import { find_token } from "./session.js";
import { problem_box } from "./widgets.js";

import { login_page } from "./pages/login.js";
import { runs_page } from "./pages/runs.js";
import { new_run_page } from "./pages/new_run.js";
import { run_page } from "./pages/run.js";
import { config_page } from "./pages/config.js";
import { classes_page } from "./pages/classes.js";
import { images_page } from "./pages/images.js";
import { image_page } from "./pages/image.js";
import { datasets_page, dataset_page } from "./pages/datasets.js";
import { weights_page } from "./pages/weights.js";
import { experiments_page } from "./pages/experiments.js";
import { experiment_page } from "./pages/experiment.js";
import { new_experiment_page } from "./pages/new_experiment.js";

const NAV = [
	["/runs", "Runs"],
	["/new", "New run"],
	["/experiments", "Experiments"],
	["/datasets", "Data sets"],
	["/weights", "Weights"],
];
const STATUS = {
	live: ["live", "Changes arrive as they happen."],
	connecting: ["connecting", "Opening the event stream."],
	polling: ["polling", "No event stream at the moment: the page asks every few seconds."],
	off: ["", ""],
};

const top = document.getElementById("top");
const main = document.getElementById("main");
const status = h("span.status", { role: "status" });
let links = [];

/* "#token=..." signs in; the token leaves the address bar and the history at once. */
function take_token_from_url() {
	const m = /^#token=([^&]+)/.exec(location.hash);
	if (!m) return;
	set_token(decodeURIComponent(m[1]));
	history.replaceState(null, "", "#/runs");
}

function logo() {
	const tile = (x, y, fill) => svg("rect", { x, y, width: 9, height: 9, rx: 2, fill });
	return svg(
		"svg",
		{ viewBox: "0 0 24 24", class: "logo", "aria-hidden": "true" },
		tile(2, 2, "#4682b4"),
		tile(13, 2, "#6b8e23"),
		tile(2, 13, "#804080"),
		svg("rect", {
			x: 14,
			y: 14,
			width: 7,
			height: 7,
			rx: 1.5,
			fill: "none",
			stroke: "#f0b429",
			"stroke-width": 2,
			"stroke-dasharray": "3 2",
		}),
	);
}

function draw_frame() {
	links = NAV.map(([path, text]) => h("a", { href: `#${path}`, data: { path } }, text));
	replace(
		top,
		h(
			"div.bar",
			h("a.brand", { href: "#/runs" }, logo(), "tpldd"),
			h("nav", { "aria-label": "main" }, links),
			status,
			h("button.quiet.small", { onclick: () => sign_out() }, "sign out"),
		),
	);
}

function show_status(s) {
	const [text, title] = STATUS[s];
	status.className = `status ${s}`;
	status.title = title;
	replace(status, h("i.dot", { "aria-hidden": "true" }), text);
}

function mark(path) {
	for (const a of links) {
		const here = path === a.dataset.path || path.startsWith(`${a.dataset.path}/`);
		if (here) a.setAttribute("aria-current", "page");
		else a.removeAttribute("aria-current");
	}
	document.title = "tpldd";
}

function sign_in() {
	draw_frame();
	watch_status(show_status);
	connect();
	router.start(main, { on_change: mark, on_error: problem_box });
}

function sign_out(message) {
	router.stop();
	disconnect();
	forget();
	set_token("");
	replace(top);
	replace(
		main,
		login_page((t) => {
			set_token(t);
			sign_in();
		}, message),
	);
	main.removeAttribute("aria-busy");
}

router.route("/runs", runs_page);
router.route("/runs/:id", run_page);
router.route("/runs/:id/config", config_page);
router.route("/runs/:id/classes", classes_page);
router.route("/runs/:id/images", images_page);
router.route("/runs/:id/images/:image", image_page);
router.route("/new", new_run_page);
router.route("/experiments", experiments_page);
router.route("/experiments/new", new_experiment_page);
router.route("/experiments/:id", experiment_page);
router.route("/datasets", datasets_page);
router.route("/datasets/:id", dataset_page);
router.route("/weights", weights_page);

set_unauthorized(() => sign_out("The daemon does not accept this token."));
take_token_from_url();
/* A link with a token opened in a tab that already shows the dashboard. */
window.addEventListener("hashchange", () => {
	if (location.hash.startsWith("#token=")) {
		take_token_from_url();
		location.reload();
	}
});
if (await find_token()) sign_in();
else sign_out();
