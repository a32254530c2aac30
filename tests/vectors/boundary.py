"""Makes boundary.json: the normal mixture boundary and its e-values, by its defining integrals in 25 digits.

    pip install -r tests/requirements.txt
    python tests/vectors/boundary.py > tests/vectors/boundary.json

The e-value is the mean of exp(λ S − λ² V/2) over λ ~ Normal(0, 1/ρ), or over the half of it above 0; mpmath integrates
it, and the boundary is where a root finder says that it is 1/α. The tuning ρ follows from the planned variance V*.

Where confseq 0.0.11 and gbstats 0.8.0 can be imported, the script stops unless both agree with the integrals to 1e-9,
as they did when the file was made. They are not among the requirements, since confseq is built from source with Boost,
Ninja, and a newer pybind11 than it asks for, and gbstats asks for an older numpy:

    apt-get install libboost-math-dev
    pip install scikit-build cmake ninja pybind11 setuptools wheel
    pip install --no-build-isolation confseq==0.0.11
    pip install pydantic packaging nbformat && pip install --no-deps gbstats==0.8.0
"""

import json
import math
import sys

import mpmath
from mpmath import mpf

mpmath.mp.dps = 25


def tuned(alpha, planned):
    twice = -2 * mpmath.log(mpf(alpha))
    return mpf(planned) / (twice + mpmath.log(1 + twice))


def log_mixture(total, variance, rho, one_sided):
    """ln E exp(λ S − λ² V/2) over the normal or the half-normal mixture, integrated around its peak."""
    total, variance = mpf(total), mpf(variance)
    precision = variance + rho
    peak, sd = total / precision, 1 / mpmath.sqrt(precision)
    highest = total**2 / (2 * precision)
    # Beyond `reach` standard deviations lies less than 1e-17 of the mass, or of what is left of it above 0.
    reach = 9
    low, high = peak - reach * sd, peak + reach * sd
    if one_sided:
        low = max(low, mpf(0))
        high = max(high, low + reach * sd)
        if peak < low:
            highest = mpf(0)
    inside = lambda rate: mpmath.exp(rate * total - rate**2 * precision / 2 - highest)
    points = [low + (high - low) * step / 4 for step in range(5)]
    mass = mpmath.quad(inside, points) * mpmath.sqrt(rho / (2 * mpmath.pi)) * (2 if one_sided else 1)
    return highest + mpmath.log(mass)


def bound(variance, rho, alpha):
    needed = -mpmath.log(mpf(alpha))
    excess = lambda total: log_mixture(total, variance, rho, False) - needed
    low, high = mpf(0), mpmath.sqrt(mpf(variance) + rho)
    while excess(high) < 0:
        high *= 2
    return mpmath.findroot(excess, (low, high), solver="anderson", tol=mpf(10) ** -15)


def close(a, b):
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def agrees_with_confseq(case):
    try:
        from confseq import boundaries
    except ImportError:
        return False
    planned, alpha = case["planned"], case["alpha"]
    for point in case["points"]:
        variance, total = point["variance"], point["sum"]
        theirs = boundaries.normal_mixture_bound(variance, alpha, planned, alpha, False)
        assert close(theirs, point["bound"]), (point, theirs)
        theirs = boundaries.normal_log_mixture(total, variance, planned, alpha, False)
        assert close(theirs, point["log_e"]), (point, theirs)
        # Its one-sided mixture is tuned at 2α, so it is asked at half of it.
        theirs = boundaries.normal_log_mixture(total, variance, planned, alpha / 2, True)
        assert close(theirs, point["log_e_above"]), (point, theirs)
    return True


def agrees_with_gbstats(case):
    """Its interval for a mean of values with variance one, whose sum is S after V of them."""
    try:
        from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
        from gbstats.models.statistics import SampleMeanStatistic
    except ImportError:
        return False
    for point in case["points"]:
        n = int(point["variance"])
        if n < 10 or n != point["variance"] or n % 2:
            continue
        # Two samples of n/2 whose difference has variance 4/n times that of a unit.
        half = n // 2
        stat = SampleMeanStatistic(n=half, sum=0.0, sum_squares=float(half - 1))
        config = SequentialConfig(
            difference_type="absolute", alpha=case["alpha"], sequential_tuning_parameter=case["planned"]
        )
        test = SequentialTwoSidedTTest(stat, stat, config)
        low, high = test.confidence_interval
        theirs = (high - low) / 2 / math.sqrt(test.variance * n) * n
        assert close(theirs, point["bound"]), (point, theirs)
    return True


def case(alpha, planned):
    rho = tuned(alpha, planned)
    points = []
    for part in (0.01, 0.5, 1, 30):
        variance = part * planned
        at = bound(variance, rho, alpha)
        for times in (-7, -1, 0, 0.5, 1.5):
            total = float(at * times)
            points.append(
                {
                    "variance": variance,
                    "sum": total,
                    "bound": float(at),
                    "log_e": float(log_mixture(total, variance, rho, False)),
                    "log_e_above": float(log_mixture(total, variance, rho, True)),
                }
            )
    return {"alpha": alpha, "planned": planned, "rho": float(rho), "points": points}


def main():
    cases = [case(alpha, planned) for alpha, planned in ((0.05, 10000.0), (0.0125, 0.25), (0.001, 3e9))]
    packages = {"mpmath": mpmath.__version__}
    if all([agrees_with_confseq(each) for each in cases]):
        packages["confseq"] = "0.0.11"
    if all([agrees_with_gbstats(each) for each in cases]):
        packages["gbstats"] = "0.8.0"
    json.dump({"made_by": "tests/vectors/boundary.py", "packages": packages, "cases": cases}, sys.stdout, indent=1)
    print()


main()
