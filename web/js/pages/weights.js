/* weights: imported networks, and the form that uploads one. */

import { query, upload } from "../api.js";
import { ARCHS, weights } from "../catalog.js";
import { h, replace } from "../dom.js";
import { bytes, number } from "../format.js";
import { go } from "../router.js";
import { field, problem_box, progress_bar, select, sort_table } from "../widgets.js";

const COLUMNS = [
	{ key: "name", label: "Name", value: (w) => w.name, cell: (w) => h("strong", w.name) },
	{ key: "arch", label: "Architecture", value: (w) => w.arch, cell: (w) => w.arch },
	{ key: "tensors", label: "Tensors", num: true, value: count, cell: (w) => number(count(w)) },
	{ key: "bytes", label: "Size", num: true, value: (w) => w.bytes, cell: (w) => bytes(w.bytes) },
	{
		key: "sha256",
		label: "SHA-256",
		value: (w) => w.sha256,
		cell: (w) => h("code", { title: w.sha256 }, String(w.sha256 || "").slice(0, 16)),
	},
];

function count(w) {
	return Array.isArray(w.tensors) ? w.tensors.length : w.tensors;
}

function upload_form() {
	const file = h("input", { type: "file", accept: ".safetensors", required: true, id: "w-file" });
	const name = h("input", { required: true, maxlength: 127, id: "w-name", autocomplete: "off" });
	file.addEventListener("change", () => {
		if (file.files[0] && !name.value) name.value = file.files[0].name.replace(/\.safetensors$/, "");
	});
	const arch = select({ id: "w-arch" }, ARCHS, ARCHS[0]);
	const stride = h("input", { value: "8", inputmode: "numeric", id: "w-stride" });
	const dilations = h("input", { value: "6,12,18,24", id: "w-dilations" });
	const result = h("div", { "aria-live": "polite" });
	const button = h("button.primary", { type: "submit" }, "Upload");
	async function submit(event) {
		event.preventDefault();
		button.disabled = true;
		try {
			await upload(
				`/weights${query({ name: name.value.trim(), arch: arch.value, output_stride: stride.value, aspp_dilations: dilations.value })}`,
				file.files[0],
				(share) => replace(result, progress_bar(share, "upload")),
			);
			go("/weights");
		} catch (e) {
			button.disabled = false;
			replace(result, problem_box(e));
		}
	}
	return h(
		"form",
		{ onsubmit: submit },
		h(
			"div.form-grid",
			h("div.wide", field("safetensors file", file)),
			field("Name", name),
			field("Architecture", arch),
			field("Output stride", stride),
			field("ASPP dilations", dilations),
		),
		result,
		h("div.buttons.end", button),
	);
}

export async function weights_page(ctx) {
	const list = await weights();
	return h(
		"div",
		h("div.head", h("h1", "Weights")),
		list.length
			? h(
					"section.card.flush",
					sort_table({
						columns: COLUMNS,
						rows: list,
						caption: "weights",
						sort: ctx.query.sort || "name",
						on_sort: (s) => go("/weights", { sort: s }),
					}),
				)
			: h("p.note", "No weights yet. ImageNet weights make a far better start than random ones."),
		h(
			"section.card",
			h("h2", "Import weights"),
			h(
				"p.muted",
				"Tensor names as in torchvision, CRST or ADVENT; the whole file is checked before it is kept.",
			),
			upload_form(),
		),
	);
}
