"""Makes power.json: how many units experiments need, from implementations that are not ours.

    pip install -r tests/requirements.txt
    python tests/vectors/power.py > tests/vectors/power.json

Sizes for rates come from statsmodels' pooled two-proportion form, sizes for means from its normal test, those for
one look once more from tea-tasting; the script stops if the two differ. Looking as often as one
likes only changes how many standard errors a difference must be away from none, which mpmath evaluates: the normal
mixture boundary (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon 2021) at the V that it is narrowest at. Detectable
differences and days left are the roots that scipy finds.
"""

import json
import math
import sys

import mpmath
import numpy
import pandas
import scipy
import statsmodels
import tea_tasting
from scipy import optimize, stats
from statsmodels.stats.power import normal_sample_size_one_tail
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail

GROWTH_MAX = 1e6


def rho_of(v, alpha):
    with mpmath.workdps(30):
        log = -2 * mpmath.log(mpmath.mpf(alpha))
        return mpmath.mpf(v) / (log + mpmath.log(1 + log))


def boundary(v, rho, alpha):
    with mpmath.workdps(30):
        v, rho, alpha = map(mpmath.mpf, (v, rho, alpha))
        return mpmath.sqrt((v + rho) * mpmath.log((v + rho) / (rho * alpha**2)))


def tail(alpha, looks):
    """The chance beyond one of the two ends that the difference must pass."""
    return alpha / 2 if looks == "once" else float(mpmath.ncdf(-boundary(1, rho_of(1, alpha), alpha)))


def tea_tasting_size(mean, variance, difference, alpha, power):
    """tea-tasting's size of a test of means with known variances, both variants together."""
    n = 1000
    values = numpy.array([-1.0, 1.0] * (n // 2)) * math.sqrt(variance * (n - 1) / n) + mean
    frame = pandas.DataFrame({"variant": [0, 0, 1, 1] * (n // 4), "y": values})
    metric = tea_tasting.Mean("y", alpha=alpha, power=power, use_t=False, equal_var=True, effect_size=difference)
    return metric.solve_power(frame, "n_obs")[0].n_obs


def size(baseline, difference, alpha, power, looks):
    """Units a variant, before rounding up."""
    one_tail = tail(alpha, looks)
    if "rate" in baseline:
        rate = baseline["rate"]
        n = samplesize_proportions_2indep_onetail(difference, rate, power, alpha=one_tail, alternative="larger")
    else:
        sd = math.sqrt(2 * baseline["variance"])
        n = normal_sample_size_one_tail(difference, power, one_tail, std_null=sd)
    return max(float(n), 2.0)


def detectable(baseline, units, alpha, power, looks, sign):
    """The smallest difference that `units` a variant find."""
    largest = (1 - baseline["rate"] if sign > 0 else baseline["rate"]) if "rate" in baseline else 1e9
    missing = lambda difference: size(baseline, sign * difference, alpha, power, looks) - units
    largest *= 1 - 1e-12
    if missing(largest) > 0:
        return None
    return sign * optimize.brentq(missing, largest * 1e-15, largest, xtol=1e-300, rtol=1e-14)


def aim(alpha, power, n_variants, looks):
    return {"alpha": alpha, "power": power, "n_variants": n_variants, "looks": looks}


def sizes():
    cases = []
    for baseline, difference in [
        ({"rate": 0.02}, 0.004),
        ({"rate": 0.02}, -0.004),
        ({"rate": 0.03}, 0.006),
        ({"rate": 0.5}, 0.01),
        ({"rate": 0.9}, 0.05),
        ({"rate": 0.001}, 0.0005),
        ({"mean": 50.0, "variance": 2500.0}, 2.5),
        ({"mean": -3.0, "variance": 0.25}, -0.01),
        ({"mean": 358_936.0, "variance": 9.0e10}, 10_000.0),
        ({"mean": 1.0, "variance": 0.01}, 10.0),
    ]:
        for one in (
            aim(0.05, 0.8, 2, "once"),
            aim(0.05, 0.8, 2, "always"),
            aim(0.05, 0.9, 5, "once"),
            aim(0.01, 0.95, 18, "always"),
        ):
            alpha = one["alpha"] / (one["n_variants"] - 1)
            n = size(baseline, difference, alpha, one["power"], one["looks"])
            if "mean" in baseline and one["looks"] == "once" and 4 < n:
                both = tea_tasting_size(baseline["mean"], baseline["variance"], difference, alpha, one["power"])
                assert both == math.ceil(2 * n), (both, n)
            assert abs(n - round(n)) > 1e-6 or n == 2.0, "too near a whole number to round"
            cases.append({"baseline": baseline, "difference": difference, "aim": one, "units": math.ceil(n)})
    return cases


def differences():
    cases = []
    for baseline in ({"rate": 0.02}, {"rate": 0.4}, {"mean": 50.0, "variance": 2500.0}):
        for units in (40, 5_000, 1_000_000):
            for one in (aim(0.05, 0.8, 2, "once"), aim(0.05, 0.8, 4, "always")):
                for sign, direction in ((1, "increase"), (-1, "decrease")):
                    alpha = one["alpha"] / (one["n_variants"] - 1)
                    found = detectable(baseline, units, alpha, one["power"], one["looks"], sign)
                    cases.append(
                        {"baseline": baseline, "units": units, "aim": one, "direction": direction, "smallest": found}
                    )
    return cases


def progresses():
    cases = []
    for variance, weight, v_planned, alpha, n_units, radius in [
        (25.0, 500.0, 250.0, 0.05, 2_000.0, 0.01),
        (25.0, 500.0, 25.0, 0.0125, 2_000.0, 0.02),
        (4e9, 12_000.0, 9e9, 0.05, 50_000.0, 8.0),
        (25.0, 500.0, 25.0, 0.05, 2_000.0, 0.5),
        (25.0, 500.0, 25.0, 0.05, 2_000.0, 1e-9),
    ]:
        rho = float(rho_of(v_planned, alpha))
        after = lambda growth: float(boundary(growth * variance, rho, alpha) / (growth * weight))
        units = None
        if after(1) <= radius:
            units = 0.0
        elif after(GROWTH_MAX) <= radius:
            growth = optimize.brentq(lambda growth: after(growth) - radius, 1, GROWTH_MAX, xtol=1e-14, rtol=1e-14)
            units = n_units * (growth - 1)
        cases.append(
            {
                "variance": variance,
                "weight": weight,
                "planned_weight": v_planned * weight / variance,
                "alpha": alpha,
                "n_units": n_units,
                "radius_now": after(1),
                "radius": radius,
                "units": units,
            }
        )
    return cases


json.dump(
    {
        "made_by": "tests/vectors/power.py",
        "packages": {
            "statsmodels": statsmodels.__version__,
            "tea-tasting": tea_tasting.__version__,
            "scipy": scipy.__version__,
            "mpmath": mpmath.__version__,
        },
        "sizes": sizes(),
        "differences": differences(),
        "progresses": progresses(),
    },
    sys.stdout,
    indent=1,
)
print()
