/* png: reads the bytes of 8-bit palette and grey PNGs. The browser's own decoder would give colours, and
 * the index (the train id) could only be guessed back from them. */

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const GREY = 0,
	PALETTE = 3;

function chunks_of(buffer) {
	const view = new DataView(buffer);
	const bytes = new Uint8Array(buffer);
	if (bytes.length < 8 || SIGNATURE.some((b, i) => bytes[i] !== b)) throw new Error("not a PNG file");
	const chunks = [];
	for (let at = 8; at + 12 <= bytes.length;) {
		const length = view.getUint32(at);
		if (at + 12 + length > bytes.length) throw new Error("truncated PNG file");
		const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
		chunks.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
		at += 12 + length;
	}
	return chunks;
}

async function inflate(parts) {
	const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
	return new Uint8Array(await new Response(stream).arrayBuffer());
}

/* Undoes the row filters of PNG (one byte a pixel). */
function unfilter(raw, width, height) {
	const out = new Uint8Array(width * height);
	for (let y = 0; y < height; y++) {
		const filter = raw[y * (width + 1)];
		const from = y * (width + 1) + 1,
			to = y * width;
		for (let x = 0; x < width; x++) {
			const left = x > 0 ? out[to + x - 1] : 0;
			const up = y > 0 ? out[to + x - width] : 0;
			const corner = x > 0 && y > 0 ? out[to + x - width - 1] : 0;
			out[to + x] = raw[from + x] + predict(filter, left, up, corner);
		}
	}
	return out;
}

function predict(filter, left, up, corner) {
	switch (filter) {
		case 0:
			return 0;
		case 1:
			return left;
		case 2:
			return up;
		case 3:
			return (left + up) >> 1;
		case 4: {
			const p = left + up - corner;
			const a = Math.abs(p - left),
				b = Math.abs(p - up),
				c = Math.abs(p - corner);
			return a <= b && a <= c ? left : b <= c ? up : corner;
		}
		default:
			throw new Error(`unknown PNG filter ${filter}`);
	}
}

/* -> {width, height, index: Uint8Array[height * width], palette: [[r, g, b]] or null} */
export async function read_indexed(buffer) {
	const chunks = chunks_of(buffer);
	const head = chunks[0].data;
	const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
	const width = view.getUint32(0),
		height = view.getUint32(4);
	const [depth, type, , , interlace] = head.subarray(8);
	if (depth !== 8 || (type !== PALETTE && type !== GREY) || interlace !== 0)
		throw new Error("expected an 8-bit palette or grey PNG");
	const plte = chunks.find((c) => c.type === "PLTE");
	const palette = plte
		? Array.from({ length: plte.data.length / 3 }, (_, i) =>
				Array.from(plte.data.subarray(3 * i, 3 * i + 3)),
			)
		: null;
	const raw = await inflate(chunks.filter((c) => c.type === "IDAT").map((c) => c.data));
	if (raw.length < height * (width + 1)) throw new Error("truncated PNG file");
	return { width, height, index: unfilter(raw, width, height), palette };
}
