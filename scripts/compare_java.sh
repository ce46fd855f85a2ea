#!/bin/sh
# Compares `latency processor` with Java's HistogramLogProcessor over the cases of the golden tests.
#
#   scripts/compare_java.sh              run both now and compare
#   scripts/compare_java.sh --regenerate write the logs and Java's outputs that the tests compare
#   with
#
# Needs java (and javac to regenerate) and the library: HDRHISTOGRAM_JAR, or where Debian's
# libhdrhistogram-java puts it. Without them it says so and ends with 0.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
fixtures=$here/tools/tests/fixtures
jar=${HDRHISTOGRAM_JAR:-/usr/share/java/hdrhistogram.jar}
latency=${LATENCY:-$here/target/release/latency}
if ! command -v java >/dev/null || [ ! -f "$jar" ]; then
    echo "skipped: needs java and $jar"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

java_processor() {
    TZ=UTC java -Dfile.encoding=UTF-8 -cp "$jar" org.HdrHistogram.HistogramLogProcessor "$@"
}

# Runs every case with the command "$2..." into the folder $1.
run_cases() {
    into=$1
    shift
    grep -v '^#' "$fixtures/java/cases.txt" | while IFS='|' read -r name flags; do
        # shellcheck disable=SC2086 # flags are words
        (cd "$fixtures" && "$@" $(echo "$flags" | sed "s#OUT#$into/$name#") >"$into/$name.stdout")
        [ -s "$into/$name.stdout" ] || rm "$into/$name.stdout"
    done
}

if [ "${1:-}" = --regenerate ]; then
    javac -encoding UTF-8 -cp "$jar" -d "$work" "$here/scripts/java/Fixtures.java"
    TZ=UTC java -Dfile.encoding=UTF-8 -cp "$jar:$work" Fixtures "$fixtures"
    find "$fixtures/java" -type f ! -name cases.txt -delete
    run_cases "$fixtures/java" java_processor
    echo "wrote $fixtures"
    exit 0
fi

mkdir "$work/java" "$work/ours"
run_cases "$work/java" java_processor
export TZ=UTC
run_cases "$work/ours" "$latency" processor
diff -r "$work/java" "$work/ours"
echo "$(find "$work/java" -type f | wc -l) files of Java's HistogramLogProcessor and of latency are equal"
