#!/bin/sh
# bench.sh BUILD [train_step|inference] [ARCH] [HxW]
# Runs the benchmarks of a build folder: one JSON object per line on standard output. Without
# arguments: every architecture at 321x321, a training step and an inference each.
set -eu
build=$1
shift
exec "$build/tests/bench/bench_net" "$@"
