/* cityscapes: data sets and finished runs of the published setting, with invented results. */
import * as state from "./state.mjs";

const CLASSES = [
	["road", 128, 64, 128],
	["sidewalk", 244, 35, 232],
	["building", 70, 70, 70],
	["wall", 102, 102, 156],
	["fence", 190, 153, 153],
	["pole", 153, 153, 153],
	["traffic light", 250, 170, 30],
	["traffic sign", 220, 220, 0],
	["vegetation", 107, 142, 35],
	["terrain", 152, 251, 152],
	["sky", 70, 130, 180],
	["person", 220, 20, 60],
	["rider", 255, 0, 0],
	["car", 0, 0, 142],
	["truck", 0, 0, 70],
	["bus", 0, 60, 100],
	["train", 0, 80, 100],
	["motorcycle", 0, 0, 230],
	["bicycle", 119, 11, 32],
].map(([name, ...color], id) => ({ id, name, color }));

function add_dataset(name, layout, split, images) {
	state.datasets.push({
		id: state.datasets.length + 1,
		name,
		layout,
		root: `/srv/data/${layout}`,
		split,
		include: null,
		images,
		labelled: images,
		classes: CLASSES,
		class_set: "cityscapes-19",
	});
}

function add_run(name, preset, source, arch) {
	const { config } = state.PRESETS.find((p) => p.name === "tpld");
	return state.add_run(
		{
			...config,
			name,
			preset,
			model: { ...config.model, arch },
			source,
			target: "city-train",
			eval: "city-val",
		},
		"completed",
		1,
	);
}

/* -> {published: a run of the published preset, small: the same sets with another preset and network, other: a run from
 * another source, which fits no pair} */
export function fill_cityscapes() {
	add_dataset("gta5", "gta5", null, 24966);
	add_dataset("renderer", "folder", null, 400);
	add_dataset("city-train", "cityscapes", "train", 2975);
	add_dataset("city-val", "cityscapes", "val", 500);
	return {
		published: add_run("as published", "gta5-to-cityscapes", "gta5", "deeplabv2-resnet101"),
		small: add_run("small network", "tpld", "gta5", "deeplabv2-mobilenetv2"),
		other: add_run("another source", "tpld", "renderer", "deeplabv2-resnet101"),
	};
}
