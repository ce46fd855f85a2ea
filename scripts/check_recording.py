#!/usr/bin/env python3
"""Checks the JSON report of a played recording against its independent result.

check_recording.py REPORT EXPECTED NAME: NAME is the recording's key in EXPECTED.
"""

import json
import sys

REST = "REST depth"


def main(report_path: str, expected_path: str, name: str) -> int:
    with open(report_path, encoding="utf-8") as file:
        report = json.load(file)
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)[name]
    frames = sum(count for kind, count in expected["frames_by_kind"].items() if kind != REST)
    venue = report["venues"][0]
    books = {symbol.replace("-", ""): book for symbol, book in report["books"].items()}
    checks = {
        "identity holds": report["identity_holds"],
        f"all {frames} frames were decoded": venue["decoded"] == frames,
        "none was refused": venue["refused"] == 0,
        "no gap and no reconnect": venue["gaps"] == venue["reconnects"] == 0,
        "no allocation in steady state": report["allocations_steady_state"] in (0, None),
    }
    for symbol, result in expected["symbols"].items():
        sha256 = result["final"]["book_sha256"]
        checks[f"the book of {symbol} is as expected"] = books[symbol]["sha256"] == sha256
    for check, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'} {check}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
