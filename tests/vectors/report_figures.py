"""Makes report_figures.json: reference figures for core/src/report, from implementations that are not ours.

    pip install tea-tasting==1.14.0 statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 mpmath==1.4.1 pandas
    python tests/vectors/report_figures.py > tests/vectors/report_figures.json

Values are exact fractions. Variances come from numpy's covariance matrix of the units, and once more from exact
fractions; the script stops if the two differ by more than 1e-9. Lifts and differences of means and ratios come from
tea-tasting (those of amounts near 2^52 from mpmath), those of proportions from statsmodels (Newcombe, and the log of
the ratio).
"""

import json
import sys
from fractions import Fraction

import mpmath
import numpy
import pandas
import scipy
import statsmodels
import tea_tasting
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

LEVEL = 0.95


def sums_of(units):
    return {
        "n": len(units),
        "n_nonzero": sum(y != 0 for y, _ in units),
        "y": sum(y for y, _ in units),
        "d": sum(d for _, d in units),
        "yy": sum(y * y for y, _ in units),
        "yd": sum(y * d for y, d in units),
        "dd": sum(d * d for _, d in units),
    }


def exact_variance(units):
    """Σ(y − R d)² / (n − 1) · n / (Σd)², in fractions."""
    n, total_d = len(units), sum(d for _, d in units)
    ratio = Fraction(sum(y for y, _ in units), total_d)
    squares = sum((y - ratio * d) ** 2 for y, d in units)
    return float(squares / (n - 1) * n / total_d**2)


def numpy_variance(units):
    """(s_y² − 2 R s_yd + R² s_d²) / (n d̄²), by numpy."""
    y, d = numpy.array(units, dtype=float).T
    ratio = y.sum() / d.sum()
    (yy, yd), (_, dd) = numpy.cov(y, d, ddof=1)
    return (yy - 2 * ratio * yd + ratio**2 * dd) / (len(y) * d.mean() ** 2)


def estimate(kind, units):
    total_y, total_d = sum(y for y, _ in units), sum(d for _, d in units)
    value = total_y / total_d  # Python divides whole numbers with one rounding
    if kind == "proportion":
        return {"value": value, "variance": value * (1 - value) / len(units)}
    variance = exact_variance(units)
    if max(abs(y) for y, _ in units) < 1e7 and variance > 0:
        assert abs(numpy_variance(units) / variance - 1) < 1e-9, (numpy_variance(units), variance)
    return {"value": value, "variance": variance}


def proportions_pair(units, control):
    counts = (sum(y for y, _ in units), len(units), sum(y for y, _ in control), len(control))
    interval = lambda compare, method: [
        float(end) for end in confint_proportions_2indep(*counts, method=method, compare=compare, alpha=1 - LEVEL)
    ]
    enough = all(10 <= s <= n - 10 for s, n in (counts[:2], counts[2:]))
    relative = [end - 1 for end in interval("ratio", "log")] if enough else None
    return {"relative": relative, "absolute": interval("diff", "newcomb")}


def exact_pair(units, control):
    """The same two formulas in 30 digits, for amounts whose squares tea-tasting rounds away."""
    with mpmath.workdps(30):
        mean = lambda pairs: mpmath.mpf(sum(y for y, _ in pairs)) / sum(d for _, d in pairs)
        (m_1, v_1), (m_0, v_0) = [(mean(pairs), exact_variance(pairs)) for pairs in (units, control)]
        z = mpmath.sqrt(2) * mpmath.erfinv(LEVEL)
        log, radius = mpmath.log(m_1 / m_0), z * mpmath.sqrt(v_1 / m_1**2 + v_0 / m_0**2)
        relative = [float(mpmath.expm1(log + sign * radius)) for sign in (-1, 1)]
        radius = z * mpmath.sqrt(v_1 + v_0)
        return {"relative": relative, "absolute": [float(m_1 - m_0 + sign * radius) for sign in (-1, 1)]}


def means_pair(units, control):
    few = min(sum(y != 0 for y, _ in control), sum(y != 0 for y, _ in units)) < 10
    if few or exact_variance(units) + exact_variance(control) == 0:
        return {"relative": None, "absolute": None}
    if max(abs(y) for y, _ in units) > 1e7:
        return exact_pair(units, control)
    frame = pandas.DataFrame(
        [(0, float(y), float(d)) for y, d in control] + [(1, float(y), float(d)) for y, d in units],
        columns=["variant", "y", "d"],
    )
    metric = tea_tasting.RatioOfMeans("y", "d", confidence_level=LEVEL, equal_var=False, use_t=False)
    result = metric.analyze(frame, 0, 1, "variant")
    positive = 0 < result.control and 0 < result.treatment
    return {
        "relative": [result.rel_effect_size_ci_lower, result.rel_effect_size_ci_upper] if positive else None,
        "absolute": [result.effect_size_ci_lower, result.effect_size_ci_upper],
    }


def case(name, kind, *variants):
    pair = proportions_pair if kind == "proportion" else means_pair
    return {
        "name": name,
        "kind": kind,
        "variants": [{"sums": sums_of(units)} | estimate(kind, units) for units in variants],
        "against_first": [pair(units, variants[0]) for units in variants[1:]],
    }


def cases():
    rng = numpy.random.default_rng(11)

    def rate(successes, n):
        return [(1, 1)] * successes + [(0, 1)] * (n - successes)

    def orders(n, share, scale=8.0):
        bought = rng.random(n) < share
        return [(int(y) if b else 0, 1) for y, b in zip(rng.lognormal(scale, 1.0, n), bought)]

    def baskets(n, share, scale=8.0):
        counts = numpy.where(rng.random(n) < share, 1 + rng.poisson(0.6, n), 0)
        return [(int(rng.lognormal(scale, 0.8, c).sum()) if c else 0, int(c)) for c in counts]

    def refunds(n):
        return [(int(y), 1) for y in rng.normal(-40, 900, n)]

    level = 2**52
    return [
        case("rates", "proportion", rate(312, 10_000), rate(361, 10_050), rate(289, 9_950)),
        case("few clicks", "proportion", rate(1, 220), rate(0, 217), rate(3, 231), rate(9, 205)),
        case("nearly all", "proportion", rate(995, 1000), rate(1000, 1000), rate(980, 1000)),
        case("all", "proportion", rate(500, 500), rate(490, 490)),
        case("none", "proportion", rate(0, 500), rate(0, 490)),
        case("ten", "proportion", rate(10, 4_000), rate(10, 20)),
        case("revenue per visitor", "mean", orders(4_000, 0.05), orders(4_100, 0.06), orders(900, 0.004)),
        case("losses", "mean", refunds(3_000), refunds(2_900)),
        case(
            "large amounts",
            "mean",
            [(level + int(x), 1) for x in rng.integers(0, 9, 40)],
            [(level + int(x), 1) for x in rng.integers(2, 11, 45)],
        ),
        case("order value", "ratio", baskets(5_000, 0.08), baskets(4_900, 0.09, 8.1), baskets(800, 0.005)),
        case("proportional", "ratio", [(7 * d, d) for d in range(40)], [(9 * d, d) for d in range(1, 40)]),
    ]


json.dump(
    {
        "made_by": "tests/vectors/report_figures.py",
        "packages": {
            "tea-tasting": tea_tasting.__version__,
            "statsmodels": statsmodels.__version__,
            "scipy": scipy.__version__,
            "numpy": numpy.__version__,
        },
        "z": float(stats.norm.ppf((1 + LEVEL) / 2)),
        "cases": cases(),
    },
    sys.stdout,
    indent=1,
)
print()
