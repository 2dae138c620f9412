#!/bin/sh
# make bench: benchmarks of a build, one JSON object per line on standard output.
#   bench.sh BUILD [BENCH ARCH HxW]     the words select one, e.g. train_step deeplabv2-resnet101 512x1024
set -eu
build=$1
shift
exec "$build/tests/bench/bench_net" "$@"
