#!/bin/bash
# make demo: two synthetic domains, one daemon, one TPLD run, its progress and its result.
#   demo.sh BUILD
# On a terminal it keeps serving until Ctrl-C; with DEMO_EXIT=1 or without a terminal it stops the
# daemon and exits 0 only if the run completed and the adapted model beats source-only.
#   DEMO_SEED   seed of the run, default 1
#   DEMO_DIR    where data and state go, default BUILD/demo-state (made anew)
set -eu

build=$(cd "${1:?usage: demo.sh BUILD}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
dir=${DEMO_DIR:-$build/demo-state}
seed=${DEMO_SEED:-1}
ctl() { "$build/bin/tpldctl" --state-dir "$dir/state" "$@"; }

rm -rf "$dir"
mkdir -p "$dir/state"

echo "making two domains of street scenes: 200 from a renderer, labelled, and 150 from a camera, unlabelled"
"$build/demo/tpld-scenes" --out "$dir/renderer" --look renderer --count 200 --seed 11
"$build/demo/tpld-scenes" --out "$dir/camera" --look camera --count 150 --seed 12
"$build/demo/tpld-scenes" --out "$dir/camera-test" --look camera --count 100 --seed 13

"$build/bin/tpldd" --state-dir "$dir/state" --listen 127.0.0.1:0 2>"$dir/tpldd.log" &
daemon=$!
stop() {
	kill -TERM "$daemon" 2>/dev/null || true
	wait "$daemon" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

for _ in $(seq 100); do
	[ -s "$dir/state/endpoint" ] && break
	kill -0 "$daemon" 2>/dev/null || { cat "$dir/tpldd.log" >&2; exit 1; }
	sleep 0.1
done
url="$(cat "$dir/state/endpoint")/#token=$(cat "$dir/state/token")"
echo "dashboard: $url"

ctl dataset add --name renderer --layout folder --root "$dir/renderer" --class-set cityscapes-19 >/dev/null
ctl dataset add --name camera --layout folder --root "$dir/camera" --class-set cityscapes-19 >/dev/null
ctl dataset add --name camera-test --layout folder --root "$dir/camera-test" --class-set cityscapes-19 >/dev/null

# The last value of a number field of a JSON text, wherever it stands.
number() { tr ',{}[]' '\n\n\n\n\n' | sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\).*/\1/p" | tail -1; }

sed "s/\"seed\": *[0-9]*/\"seed\": $seed/" "$here/demo.json" >"$dir/run.json"
run=$(ctl run create "$dir/run.json" 2>/dev/null)
watched=0
ctl run watch "$run" || watched=$?

echo
echo "IoU on target images that training never saw, before (source) and after every round:"
ctl run iou "$run"
echo
ctl run rounds "$run"
shown=$(ctl -o json run show "$run")
before=$(printf '%s' "$shown" | number source_only)
after=$(printf '%s' "$shown" | number current)
rounds=$(ctl -o json run rounds "$run")
easy=$(printf '%s' "$rounds" | number easy)
hard=$(printf '%s' "$rounds" | number hard)
beat=$(awk -v b="${before:-0}" -v a="${after:-0}" 'BEGIN { print (a > b ? 0 : 1) }')
echo
awk -v b="${before:-0}" -v a="${after:-0}" -v e="${easy:-0}" -v h="${hard:-0}" 'BEGIN {
	n = e + h > 0 ? e + h : 1
	printf "mIoU on the target: %.1f %% source-only, %.1f %% adapted (%+.1f points)\n", 100 * b, 100 * a, 100 * (a - b)
	printf "target images in the last round: %d easy (%.0f %%), %d hard (%.0f %%)\n", e, 100 * e / n, h, 100 * h / n
}'
echo "dashboard: $url"

if [ -t 1 ] && [ -z "${DEMO_EXIT:-}" ]; then
	echo "serving until Ctrl-C"
	wait "$daemon"
fi
[ "$watched" = 0 ] && [ "$beat" = 0 ]
