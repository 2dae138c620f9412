/* scene: synthetic street pictures with their classes, and what a scoring of them could have found. */
import { encode_png } from "./png.mjs";

export const WIDTH = 256,
	HEIGHT = 128,
	IGNORE = 255;

export const CLASSES = [
	["sky", 128, 128, 128],
	["building", 128, 0, 0],
	["pole", 192, 192, 128],
	["road", 128, 64, 128],
	["sidewalk", 60, 40, 222],
	["tree", 128, 128, 0],
	["sign", 192, 128, 128],
	["fence", 64, 64, 128],
	["car", 64, 0, 128],
	["pedestrian", 64, 64, 0],
	["bicyclist", 0, 128, 192],
].map(([name, ...color], id) => ({ id, name, color }));

export function random(seed) {
	let a = seed >>> 0;
	return () => {
		a = (a + 0x6d2b79f5) >>> 0;
		let t = Math.imul(a ^ (a >>> 15), 1 | a);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
}

function fill(map, x0, y0, w, h, value) {
	for (let y = Math.max(0, y0 | 0); y < Math.min(HEIGHT, (y0 + h) | 0); y++)
		for (let x = Math.max(0, x0 | 0); x < Math.min(WIDTH, (x0 + w) | 0); x++) map[y * WIDTH + x] = value;
}

/* The true classes of picture `id`. */
export function truth(id) {
	const r = random(1000 + id);
	const map = new Uint8Array(WIDTH * HEIGHT);
	const horizon = 50 + r() * 20;
	for (let i = 0; i < 6; i++)
		fill(map, r() * WIDTH, horizon - 15 - r() * 35, 20 + r() * 50, 80, r() < 0.6 ? 1 : 5);
	fill(map, 0, horizon, WIDTH, HEIGHT, 4);
	for (let y = horizon | 0; y < HEIGHT; y++) {
		const half = 14 + (y - horizon) * 1.6;
		fill(map, WIDTH / 2 - half, y, 2 * half, 1, 3);
	}
	for (let i = 0; i < 3; i++)
		fill(map, r() * WIDTH, horizon - 4 + r() * 10, 22 + r() * 22, 13 + r() * 8, 8);
	for (let i = 0; i < 3; i++) {
		const x = r() * WIDTH;
		fill(map, x, horizon - 34, 2, 44, 2);
		fill(map, x - 4, horizon - 34, 9, 7, 6);
	}
	for (let i = 0; i < 4; i++) fill(map, r() * WIDTH, horizon - 2 + r() * 8, 4, 14, r() < 0.6 ? 9 : 10);
	fill(map, r() * 200, horizon + 2, 40, 6, 7);
	return map;
}

export function photo(id) {
	const map = truth(id),
		r = random(77 + id),
		night = 0.45 + (0.55 * ((id * 37) % 100)) / 100;
	const tone = [
		[150, 180, 215],
		[120, 105, 95],
		[90, 90, 90],
		[85, 85, 92],
		[150, 140, 132],
		[60, 95, 55],
		[200, 60, 50],
		[120, 110, 80],
		[40, 60, 120],
		[160, 100, 80],
		[70, 120, 130],
	];
	const out = new Uint8Array(3 * WIDTH * HEIGHT);
	for (let i = 0; i < map.length; i++)
		for (let c = 0; c < 3; c++)
			out[3 * i + c] = Math.max(
				0,
				Math.min(255, night * (tone[map[i]][c] + (((i / WIDTH) | 0) % 7) * 2) + 22 * (r() - 0.5)),
			);
	return encode_png("rgb", WIDTH, HEIGHT, out);
}

/* Maps of one scored image: hardness 0..1 blurs the prediction, later rounds know more. */
export function scored(id, round, hardness) {
	const map = truth(id),
		r = random(31 * id + round),
		size = WIDTH * HEIGHT;
	const maps = {
		prediction: new Uint8Array(size),
		confidence: new Uint8Array(size),
		pseudo_confident: new Uint8Array(size).fill(IGNORE),
		pseudo_voted: new Uint8Array(size).fill(IGNORE),
		pseudo_final: new Uint8Array(size).fill(IGNORE),
		origin: new Uint8Array(size),
	};
	const wobble = random(id + 5)() * 6;
	for (let y = 0; y < HEIGHT; y++)
		for (let x = 0; x < WIDTH; x++) {
			const i = y * WIDTH + x;
			const shift = Math.round(hardness * 5 * Math.sin(y / 5 + wobble));
			const from = y * WIDTH + Math.min(WIDTH - 1, Math.max(0, x + shift));
			const edge =
				map[from] !== map[Math.min(size - 1, from + 3)] ||
				map[from] !== map[Math.min(size - 1, from + 3 * WIDTH)];
			const bump = 0.5 + 0.5 * Math.sin(x / 17 + wobble) * Math.cos(y / 13);
			const p = Math.min(
				0.995,
				Math.max(
					0.2,
					0.97 - 0.45 * hardness * bump - (edge ? 0.3 : 0) + 0.02 * round + 0.04 * (r() - 0.5),
				),
			);
			maps.prediction[i] = map[from];
			maps.confidence[i] = Math.round(255 * p);
			const need = 0.9 - 0.04 * round;
			if (p > need) maps.pseudo_confident[i] = maps.pseudo_voted[i] = maps.pseudo_final[i] = map[from];
			else if (p > need - 0.08) maps.pseudo_voted[i] = maps.pseudo_final[i] = map[from];
			else if (round >= 3 && hardness < 0.45) maps.pseudo_final[i] = map[from];
			maps.origin[i] = p > need ? 1 : p > need - 0.08 ? 2 : maps.pseudo_final[i] !== IGNORE ? 3 : 0;
		}
	return maps;
}

const PALETTE = Array.from({ length: 256 }, (_, i) => (CLASSES[i] ? CLASSES[i].color : [0, 0, 0]));
const ORIGIN_PALETTE = [
	[0, 0, 0],
	[0, 90, 200],
	[0, 170, 120],
	[230, 170, 0],
];

export function layer_png(id, round, hardness, layer) {
	if (layer === "image") return photo(id);
	const map = scored(id, round, hardness)[layer];
	if (!map) return null;
	return layer === "confidence"
		? encode_png("grey", WIDTH, HEIGHT, map)
		: encode_png("palette", WIDTH, HEIGHT, map, layer === "origin" ? ORIGIN_PALETTE : PALETTE);
}
