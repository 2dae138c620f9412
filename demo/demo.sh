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

echo "making two domains of street scenes: a renderer's (labelled) and a camera's (unlabelled)"
"$build/demo/tpld-scenes" --out "$dir/renderer" --look renderer --count 400 --seed 11
"$build/demo/tpld-scenes" --out "$dir/camera" --look camera --count 150 --seed 12
"$build/demo/tpld-scenes" --out "$dir/camera-test" --look camera --count 60 --seed 13

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

run=$(ctl -o json run create "$here/demo.json" --set "/seed=$seed" | sed -n 's/^ *"id": *\([0-9]*\),*$/\1/p;s/^{"id": *\([0-9]*\),.*/\1/p' | head -1)
ok=0
ctl run watch "$run" || ok=1

echo
ctl run iou "$run"
echo
ctl run rounds "$run"
echo
summary=$(ctl -o json run show "$run")
verdict=$(printf '%s' "$summary" | /usr/bin/env python3 "$here/verdict.py") && beat=0 || beat=1
printf '%s\n' "$verdict"
echo "dashboard: $url"

if [ -t 1 ] && [ -z "${DEMO_EXIT:-}" ]; then
	echo "serving until Ctrl-C"
	wait "$daemon"
fi
[ "$ok" = 0 ] && [ "$beat" = 0 ]
