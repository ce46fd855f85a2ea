#!/usr/bin/env python3
"""Checks the JSON report of a short run: the identities hold, and what should have happened did."""

import json
import sys


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    consumers = report["consumers"]
    checks = {
        "identity holds": report["identity_holds"],
        "no critical event lost": report["critical_lost"] == 0,
        "at least 1,000 events/s": report["events_published"] * 1e9 / report["duration_ns"] >= 1_000,
        "no allocation in steady state": report["allocations_steady_state"] == 0,
        "orders were submitted": report["orders"]["submitted"] > 0,
        "orders were filled": report["orders"]["filled"] > 0,
        "tick-to-trade was measured": report["tick_to_trade"]["count"] > 0,
        "no open order is left": all(c["orders_open"] == 0 for c in consumers),
        "no failure": all(c["failures"] == 0 for c in consumers),
        "an interval log was written": report["hlog"] is not None,
        "every book is live": report["books"]
        and all(book["status"] == "live" for book in report["books"].values()),
        "no limit of the simulated venue was broken": report["penalties"] == 0,
        "no venue was lost": all(venue["reconnects"] == 0 for venue in report["venues"]),
    }
    for name, holds in checks.items():
        print(f"{'ok  ' if holds else 'FAIL'} {name}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
