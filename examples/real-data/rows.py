#!/usr/bin/env python3
"""Prints an Open Bandit extract as CSV, one impression a row, for `podium replay`.

    python3 rows.py obd-women-random.txt > random.csv
"""

import sys


def rows(lines):
    """Yields item, position, propensity and click of each impression; the propensity with every digit of the log."""
    even = None
    for line in lines:
        if line.startswith("@propensity "):
            even = line.split()[1]
        elif not line.startswith(("#", "@")):
            _, item, position, click, *own = line.split()
            yield f"item-{item.zfill(2)}", position, own[0] if own else even, click


def main():
    """Runs the command line."""
    with open(sys.argv[1], encoding="ascii") as extract:
        print("variant,position,propensity,reward")
        for row in rows(extract):
            print(",".join(row))


if __name__ == "__main__":
    main()
