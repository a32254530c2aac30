"""Makes bucketing.json with the public `xxhash` package (4.1.0): weighted rendezvous hashing, in ten lines."""

import json, math, pathlib, sys
import xxhash


def xxh3(text, seed=0):
    return xxhash.xxh3_64_intdigest(text.encode(), seed=seed)


def draw(seed_text, unit):
    return ((xxh3(unit, seed=xxh3(seed_text)) >> 11) + 0.5) * 2.0**-53


def choose(salt, unit, weights):
    return min((key for key in weights if weights[key] > 0), key=lambda key: -math.log(draw(f"{salt}/{key}", unit)) / weights[key])


UNITS = ["u-1", "a", "", "ümlaut", "0f8fad5b-d9cb-469f-a165-70867728950e", "x" * 255, *(f"visitor-{n}" for n in range(200))]
CASES = [("checkout", {"control": 0.5, "banner": 0.5}), ("hero-v2", {"a": 0.7, "b": 0.2, "c": 0.1}), ("s", {"on": 1.0, "off": 0.0})]
vectors = {
    "traffic": [{"salt": salt, "unit": unit, "draw": draw(f"{salt}#traffic", unit)} for salt, _ in CASES for unit in UNITS],
    "slice": [{"salt": salt, "unit": unit, "draw": draw(f"{salt}#slice", unit)} for salt, _ in CASES for unit in UNITS],
    "group": [{"group": "home", "unit": unit, "draw": draw("home#group", unit)} for unit in UNITS],
    "choice": [{"salt": salt, "weights": weights, "unit": unit, "variant": choose(salt, unit, weights)} for salt, weights in CASES for unit in UNITS],
}
text = json.dumps(vectors, ensure_ascii=False, indent=0) + "\n"
path = pathlib.Path(__file__).with_suffix(".json")
if "--check" in sys.argv:
    sys.exit(path.read_text() != text and "bucketing.json differs from what this script makes")
path.write_text(text)
