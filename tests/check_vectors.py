#!/usr/bin/env python3
"""Makes every golden file anew and compares it with the committed one; exit 1 names each figure that differs.

    python check_vectors.py RAW_DIR            all of them
    python check_vectors.py RAW_DIR --quick    without those that take minutes

A script in tests/vectors prints its JSON, or compares by itself if it knows `--check`. The scripts in
examples/real-data need the raw logs, which fetch.py leaves in RAW_DIR. Numbers agree to 1e-9 relative (1e-12 absolute
near zero), as processors round differently; everything else must be equal.
"""

import json
import math
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELATIVE, ABSOLUTE = 1e-9, 1e-12
# What a golden file says of its making may differ between machines.
MAKING = {"packages", "made_by"}
SHOWN_MAX = 10
# Quadrature in 30 digits: six minutes of processor time.
SLOW = {"posterior.py"}


def differences(made, committed, place=""):
    """Yields where two JSON values differ."""
    if isinstance(made, dict) and isinstance(committed, dict):
        for name in sorted(made.keys() | committed.keys()):
            if name not in made or name not in committed:
                yield f"{place}/{name} is in one only"
            elif place or name not in MAKING:
                yield from differences(made[name], committed[name], f"{place}/{name}")
    elif isinstance(made, list) and isinstance(committed, list):
        if len(made) != len(committed):
            yield f"{place}: {len(made)} entries, committed {len(committed)}"
        for number, pair in enumerate(zip(made, committed)):
            yield from differences(*pair, f"{place}/{number}")
    elif isinstance(made, float) or isinstance(committed, float):
        numbers = all(isinstance(each, (int, float)) for each in (made, committed))
        if not (numbers and math.isclose(made, committed, rel_tol=RELATIVE, abs_tol=ABSOLUTE)):
            yield f"{place}: {made!r}, committed {committed!r}"
    elif made != committed:
        yield f"{place}: {made!r}, committed {committed!r}"


def run(arguments):
    """Runs a script; returns whether it succeeded, and what it printed."""
    done = subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    return done.returncode == 0, done.stdout, done.stderr


def check(script, arguments):
    """Returns what is wrong with one golden file."""
    compares_itself = "--check" in script.read_text()
    succeeded, printed, errors = run([script, *arguments, *(["--check"] if compares_itself else [])])
    if not succeeded:
        return [printed + errors]
    if compares_itself:
        return []
    committed = json.loads(script.with_suffix(".json").read_text())
    return list(differences(json.loads(printed), committed))


def main():
    """Checks them all."""
    raw = pathlib.Path(sys.argv[1])
    real = ROOT / "examples" / "real-data"
    scripts = [(script, []) for script in sorted((ROOT / "tests" / "vectors").glob("*.py"))]
    scripts += [(real / name, [raw]) for name in ("fetch.py", "reference.py", "off_policy.py")]
    if "--quick" in sys.argv:
        scripts = [(script, arguments) for script, arguments in scripts if script.name not in SLOW]
    n_wrong = 0
    for script, arguments in scripts:
        wrong = check(script, arguments)
        n_wrong += bool(wrong)
        print(f"{script.relative_to(ROOT)}: {'differs' if wrong else 'equal'}", flush=True)
        for line in wrong[:SHOWN_MAX]:
            print(f"  {line}")
        if len(wrong) > SHOWN_MAX:
            print(f"  and {len(wrong) - SHOWN_MAX} more")
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
