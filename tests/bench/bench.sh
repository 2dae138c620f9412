#!/bin/sh
# make bench: benchmarks of a build, one JSON object per line on standard output.
#   bench.sh BUILD [BENCH [ARCH] [HxW]]     without BENCH all of them, one after the other
#
# train_step inference   a network's step, its memory (bench_net.c)
# scaling linear         such steps on one thread and all; per pixel of growing images (series.py)
# voting                 sliding-window voting, windows of several sizes (bench_vote.c)
# scoring                what a round does with an image, against its forward passes (bench_score.c)
# loader                 how long training waits for its samples (bench_loader.c)
# memory                 what a run is predicted to need, and takes (memory.py; needs the daemon)
# clients                how much open dashboards slow training (clients.py; needs the daemon)
# modes                  a short training with each kernel mode (kernel_modes.py; needs the daemon)
set -eu
build=$1
shift
here=$(dirname "$0")
bin=$build/tests/bench

loader() {
	scenes=$(mktemp -d)
	trap 'rm -rf "$scenes"' EXIT
	count=8
	"$build/demo/tpld-scenes" --out "$scenes" --look renderer --count $count --size 2048x1024
	"$bin/bench_loader" "$scenes" $count "$@"
}

one() {
	name=$1
	shift
	case $name in
	scaling | linear) python3 "$here/series.py" "$bin/bench_net" "$name" "$@" ;;
	voting) "$bin/bench_vote" "$@" ;;
	scoring) "$bin/bench_score" "$@" ;;
	loader) (loader "$@") ;;
	memory) python3 -B "$here/memory.py" "$build" "$@" ;;
	clients) python3 -B "$here/clients.py" "$build" "$@" ;;
	modes) python3 -B "$here/kernel_modes.py" "$build" "$@" ;;
	*) "$bin/bench_net" "$name" "$@" ;;
	esac
}

[ $# -gt 0 ] || set -- all
[ "$1" = all ] || { one "$@"; exit; }
"$bin/bench_net"
for name in scaling linear voting scoring loader memory clients modes; do
	one "$name"
done
