/* png: writes small PNGs for tests: 8-bit palette, grey or RGB. */
import { deflateSync } from "node:zlib";

const TABLE = Array.from({ length: 256 }, (_, n) => {
	let c = n;
	for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
	return c >>> 0;
});
function crc32(bytes) {
	let c = 0xffffffff;
	for (const b of bytes) c = TABLE[(c ^ b) & 255] ^ (c >>> 8);
	return ~c >>> 0;
}

function chunk(type, data) {
	const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
	const head = Buffer.alloc(4),
		tail = Buffer.alloc(4);
	head.writeUInt32BE(data.length);
	tail.writeUInt32BE(crc32(body));
	return Buffer.concat([head, body, tail]);
}

/* The row filters take turns, so that a reader is tried on all of them. */
function filtered(pixels, width, height, bytes) {
	const stride = width * bytes;
	const out = Buffer.alloc(height * (stride + 1));
	for (let y = 0; y < height; y++) {
		const filter = y % 5;
		out[y * (stride + 1)] = filter;
		for (let x = 0; x < stride; x++) {
			const at = y * stride + x;
			const left = x >= bytes ? pixels[at - bytes] : 0;
			const up = y > 0 ? pixels[at - stride] : 0;
			const corner = x >= bytes && y > 0 ? pixels[at - stride - bytes] : 0;
			const p = left + up - corner;
			const near = [left, up, corner].reduce((a, b) => (Math.abs(p - b) < Math.abs(p - a) ? b : a));
			const guess = [0, left, up, (left + up) >> 1, near][filter];
			out[y * (stride + 1) + 1 + x] = pixels[at] - guess;
		}
	}
	return out;
}

const CHANNELS = { grey: [0, 1], rgb: [2, 3], palette: [3, 1] };

/* kind: "grey", "rgb" or "palette" (then palette: [[r, g, b]] of up to 256 entries). */
export function encode_png(kind, width, height, pixels, palette) {
	const [type, bytes] = CHANNELS[kind];
	const head = Buffer.alloc(13);
	head.writeUInt32BE(width, 0);
	head.writeUInt32BE(height, 4);
	head.set([8, type, 0, 0, 0], 8);
	return Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
		chunk("IHDR", head),
		palette ? chunk("PLTE", Buffer.from(palette.flat())) : Buffer.alloc(0),
		chunk("IDAT", deflateSync(filtered(pixels, width, height, bytes))),
		chunk("IEND", Buffer.alloc(0)),
	]);
}
