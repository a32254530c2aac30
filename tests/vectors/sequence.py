"""Makes sequence.json: how two variants differ at all looks, from the units themselves.

    pip install -r tests/requirements.txt
    python tests/vectors/sequence.py > tests/vectors/sequence.json

Means and variances come from numpy. The interval of the relative difference is where a root finder of scipy says that
the sum for the factor θ, Σ w (ȳ_k − θ ȳ_j), meets its boundary; the boundary is that of boundary.py.
"""

import json
import math
import sys

import numpy
import scipy
from scipy.optimize import brentq

PRIOR_UNITS = 100
PRIOR_REWARDS = 25


def shrunk(squares, freedom, overall):
    return (squares + PRIOR_UNITS * overall) / (freedom + PRIOR_UNITS)


def squares(values):
    return float(numpy.var(values) * len(values))


def doubt_of(values):
    rewards = values[values != 0]
    spread = float(numpy.mean(rewards**2) / numpy.mean(rewards) ** 2)
    needed = PRIOR_REWARDS * spread**4
    return needed / (needed + len(rewards))


def variances(strata):
    """V of each side, between that of its own variance and, if it is larger, of a shared one; and the weights."""
    both = [stratum for stratum in strata if all(len(values) for values in stratum)]
    weights = [len(k) * len(j) / (len(k) + len(j)) for k, j in both]
    overall = []
    for side in range(2):
        cells = [stratum[side] for stratum in strata if len(stratum[side])]
        overall.append((sum(map(squares, cells)), sum(len(values) - 1 for values in cells)))
    shared_overall = (overall[0][0] + overall[1][0]) / (overall[0][1] + overall[1][1])
    own, shared = [0.0, 0.0], 0.0
    for weight, stratum in zip(weights, both):
        for side in range(2):
            cell = stratum[side]
            variance = shrunk(squares(cell), len(cell) - 1, overall[side][0] / overall[side][1])
            own[side] += weight**2 * variance / len(cell)
        freedom = len(stratum[0]) + len(stratum[1]) - 2
        shared += weight * shrunk(squares(stratum[0]) + squares(stratum[1]), freedom, shared_overall)
    doubt = max(doubt_of(numpy.concatenate([stratum[side] for stratum in strata])) for side in range(2))
    widened = 1 + doubt * max(0.0, shared / sum(own) - 1)
    return both, weights, [widened * variance for variance in own]


def case(name, strata, alpha, planned):
    both, weights, sides = variances(strata)
    total, variance = sum(weights), sum(sides)
    k, j = (
        sum(weight * float(numpy.mean(stratum[side])) for weight, stratum in zip(weights, both)) / total
        for side in range(2)
    )
    # The planned V, by the variance of what is there.
    rho = planned * variance / total / (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha)))
    bound = math.sqrt((variance + rho) * math.log((variance + rho) / (rho * alpha**2)))

    def excess(factor):
        """How far the sum for a factor is beyond its boundary, for values of its own variance."""
        v = sides[0] + factor**2 * sides[1]
        r = rho * v / variance
        return abs(total * (k - factor * j)) - math.sqrt((v + r) * math.log((v + r) / (r * alpha**2)))

    lift = None
    if excess(1e9) > 0 and j > 0:
        estimate = k / j
        lift = [brentq(excess, *ends, xtol=1e-13, rtol=1e-14) - 1 for ends in ((-1e3, estimate), (estimate, 1e3))]
    return {
        "name": name,
        "alpha": alpha,
        "planned": planned,
        "strata": [
            [
                {
                    "n": len(values),
                    "n_nonzero": int(numpy.count_nonzero(values)),
                    "mean": float(numpy.mean(values)) if len(values) else 0.0,
                    "squares": squares(values) if len(values) else 0.0,
                }
                for values in stratum
            ]
            for stratum in strata
        ],
        "estimate": k - j,
        "variance": variance / total**2,
        "weight": total,
        "interval": [k - j - bound / total, k - j + bound / total],
        "lift": k / j - 1 if j > 0 else None,
        "lift_interval": lift,
    }


def main():
    rng = numpy.random.default_rng(7)
    rate = lambda n, p: (rng.random(n) < p).astype(float)
    orders = lambda n, p: numpy.where(rng.random(n) < p, numpy.round(rng.lognormal(8.5, 1.2, n)), 0.0)
    normal = lambda n, mean, sd: rng.normal(mean, sd, n) if n else numpy.array([])
    missing = [(normal(a, 5, 2), normal(b, 4, 2)) for a, b in ((30, 0), (0, 9), (80, 1), (50, 60))]
    cases = [
        case("rates, even", [(rate(500, p * 1.2), rate(500, p)) for p in (0.05, 0.08, 0.04)], 0.05, 2000.0),
        case("rates, one starved", [(rate(950, 0.05), rate(n, 0.05)) for n in (50, 40, 60)], 0.0125, 5000.0),
        case("orders, one starved", [(orders(n, 0.1), orders(900, 0.1)) for n in (300, 100, 50)], 0.05, 2000.0),
        case("favored and less noisy", [(normal(900, 9, 1), normal(100, 10, 4)) for _ in range(3)], 0.05, 300.0),
        case("missing in places", missing, 0.025, 100.0),
        case("control about zero", [(normal(200, 1, 2), normal(200, 0.01, 2)) for _ in range(2)], 0.05, 200.0),
        case("losses", [(normal(200, -3, 2), normal(200, -4, 2)) for _ in range(2)], 0.05, 200.0),
    ]
    packages = {"numpy": numpy.__version__, "scipy": scipy.__version__}
    json.dump({"made_by": "tests/vectors/sequence.py", "packages": packages, "cases": cases}, sys.stdout, indent=1)
    print()


main()
