"""What core's static libraries need and keep. usage: check_symbols.py BUILD_DIR

core never logs, exits, reads clock or environment, opens sockets; it knows none of the daemon's libraries
and keeps no state of its own. An assertion may end the program: it is a mistake in the program.
"""
import glob
import os
import re
import subprocess
import sys

LIBRARIES = r"uv_|sqlite3_|MHD_|json_|jansson_|curl_|ini_"
# name -> why not; also as glibc's checked variants (__printf_chk)
CALLS = {
    "writes to a stream": "printf vprintf fprintf vfprintf dprintf vdprintf puts fputs putchar putc fputc fwrite perror "
                          "warn warnx err errx syslog vsyslog stdout stderr stdin",
    "ends the program": "exit _exit _Exit quick_exit abort raise kill",
    "reads or changes the environment": "getenv secure_getenv setenv putenv environ setlocale",
    "reads the clock": "time gettimeofday clock clock_gettime localtime localtime_r gmtime nanosleep sleep usleep",
    "is random in itself": "rand srand random srandom drand48 rand_r getrandom arc4random",
    "leaves the process": "system popen fork vfork execv execve posix_spawn socket connect signal sigaction",
}
FORBIDDEN = {name: why for why, names in CALLS.items() for name in names.split()}
# stb_image's own settings, which core never changes, and its last failure.
STATE_ALLOWED = r"stbi__\w+"


def nm(library, *options):
    r = subprocess.run(["nm", *options, library], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if r.returncode != 0:
        raise RuntimeError(r.stderr)
    return r.stdout


def undefined(library):
    for line in nm(library, "--undefined-only", "--format=posix").splitlines():
        words = line.split()
        if len(words) >= 2 and words[1] in "Uw":
            yield words[0]


def why_not(symbol):
    if re.match(LIBRARIES, symbol):
        return "belongs to a library of the daemon"
    return FORBIDDEN.get(re.sub(r"^__(\w+)_chk$", r"\1", symbol))


def state(library):
    """Symbols in sections that a program can write to."""
    for line in nm(library, "--format=sysv").splitlines():
        fields = [x.strip() for x in line.split("|")]
        if len(fields) == 7 and re.fullmatch(r"\.(data|bss|tdata|tbss)(\.(?!rel\.ro).*)?|\*COM\*", fields[6]):
            if fields[3] != "SECTION" and not re.fullmatch(STATE_ALLOWED, fields[0]):
                yield fields[0]


def main(build):
    libraries = sorted(glob.glob(os.path.join(build, "core", "*", "*.a")))
    assert why_not("__fprintf_chk") and why_not("uv_loop_init") and why_not("getenv") and not why_not("__snprintf_chk")
    assert len(libraries) >= 9, libraries
    failed = 0
    print("1..%d" % len(libraries))
    for i, library in enumerate(libraries, 1):
        wrong = ["%s: %s" % (s, why_not(s)) for s in sorted(set(undefined(library))) if why_not(s)]
        wrong += ["%s: can be written to" % s for s in state(library)]
        if not os.path.basename(library) == "libop.a":
            wrong += ["%s: only core/op calls BLAS" % s for s in undefined(library) if s.startswith(("cblas_", "openblas_"))]
        print("%sok %d - %s" % ("not " if wrong else "", i, os.path.basename(library)))
        print("".join("# %s\n" % w for w in wrong), end="")
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
