/* tap: runs named test cases one after the other and prints the Test Anything Protocol. */
import { performance } from "node:perf_hooks";

let count = 0,
	failed = 0,
	look = async () => {};

/* f(name) is called when a test fails, for instance to take a screenshot. */
export function on_failure(f) {
	look = f;
}

export async function test(name, body) {
	const start = performance.now();
	count++;
	try {
		await body();
		console.log(`ok ${count} - ${name} # ${((performance.now() - start) / 1000).toFixed(1)} s`);
	} catch (e) {
		failed++;
		console.log(`not ok ${count} - ${name}`);
		console.log(
			String(e.stack || e)
				.split("\n")
				.map((line) => `  # ${line}`)
				.join("\n"),
		);
		await look(`failed-${count}`).catch(() => {});
	}
}

/* A test that needs the ones before it: after a failure the rest is not tried. */
export async function step(name, body) {
	if (!failed) return test(name, body);
	failed++;
	console.log(`not ok ${++count} - ${name}: not tried, a step before it failed`);
}

export function finish() {
	console.log(`1..${count}`);
	return failed ? 1 : 0;
}

/* Meson takes exit status 77 as "skipped". */
export function skip_all(reason) {
	console.log(`1..0 # SKIP ${reason}`);
	process.exit(77);
}

export function equal(got, wanted, what) {
	if (got !== wanted)
		throw new Error(`${what || "value"}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}
export function ok(value, what) {
	if (!value) throw new Error(what);
}
