#!/bin/sh
# Installs the Debian packages that a target needs and that are not there yet:
#   install-deps.sh build         to build and run
#   install-deps.sh build test    also for the test suite
# Asks nothing; uses sudo unless it runs as root; does nothing when all is there.
set -eu

build="gcc make pkg-config meson ninja-build libmicrohttpd-dev libjansson-dev libsqlite3-dev
libopenblas-pthread-dev libuv1-dev libpng-dev libstb-dev libcurl4-openssl-dev libssl-dev libinih-dev
libcmocka-dev curl"
test="python3 python3-numpy sqlite3 strace chromium systemd"

want=""
for set in "$@"; do
	case $set in
	build) want="$want $build" ;;
	test)
		want="$want $test"
		# Node.js from elsewhere serves as well as Debian's.
		command -v node >/dev/null 2>&1 || want="$want nodejs"
		command -v npm >/dev/null 2>&1 || want="$want npm"
		;;
	*) echo "install-deps.sh: unknown set '$set'" >&2; exit 64 ;;
	esac
done

missing=""
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' ||
		missing="$missing $p"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || {
		echo "these packages are missing and there is no sudo to install them:$missing" >&2
		exit 1
	}
	as_root="sudo"
fi
echo "installing:$missing"
log=$(mktemp)
# shellcheck disable=SC2086
if ! { $as_root apt-get update -qq &&
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -20 "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
