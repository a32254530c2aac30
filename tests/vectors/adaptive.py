"""Makes adaptive.json: reference figures for core/src/inference, from implementations that are not ours.

    pip install tea-tasting==1.14.0 statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 mpmath==1.4.1 pandas==2.3.3
    python tests/vectors/adaptive.py > tests/vectors/adaptive.json

- fixed horizon: scipy (Welch), statsmodels (pooled z, Newcombe), tea-tasting (ratios);
- history: tea-tasting where it is plain CUPED, and numpy's least squares on single units for all;
- AIPW and period weights: the definitions written out unit by unit with numpy, from unrounded units;
- sample ratio: the published formula and ours in 50 digits (mpmath), and scipy for the chi-square.

What the Rust side gets is sums, so that none of these can share its arithmetic. Where two packages know a figure the
script stops if they differ by more than 1e-9.
"""

import json
import sys

import mpmath
import numpy
import pandas
import scipy
import statsmodels
import tea_tasting
from mpmath import mp, mpf
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest

mp.dps = 50
rng = numpy.random.default_rng(20261125)


def same(a, b):
    assert abs(a - b) <= 1e-9 * max(abs(a), abs(b)), (a, b)
    return a


def sums_of(y, d):
    y, d = [int(each) for each in y], [int(each) for each in d]
    return {
        "n": len(y),
        "n_nonzero": sum(each != 0 for each in y),
        "y": sum(y),
        "d": sum(d),
        "yy": sum(a * a for a in y),
        "yd": sum(a * b for a, b in zip(y, d)),
        "dd": sum(b * b for b in d),
    }


def history_of(x, y, h):
    pairs = [(int(a), int(b)) for a, b, has in zip(x, y, h) if has]
    return {
        "n": len(pairs),
        "x": sum(a for a, _ in pairs),
        "y": sum(b for _, b in pairs),
        "xx": sum(a * a for a, _ in pairs),
        "xy": sum(a * b for a, b in pairs),
        "yy": sum(b * b for _, b in pairs),
    }


# Those who look once.


def reading(test, control, variant, difference, standard_error, p_value, interval, degrees=None):
    return {
        "test": test,
        "control": control,
        "variant": variant,
        "difference": float(difference),
        "standard_error": float(standard_error),
        "p_value": float(p_value),
        "interval": [float(end) for end in interval],
        "degrees": None if degrees is None else float(degrees),
    }


def welch(a, b, alpha):
    result = stats.ttest_ind(b, a, equal_var=False)
    interval = result.confidence_interval(1 - alpha)
    standard_error = numpy.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
    control, variant = sums_of(a, numpy.ones(len(a))), sums_of(b, numpy.ones(len(b)))
    made = reading("welch_t", control, variant, b.mean() - a.mean(), standard_error, result.pvalue, interval, result.df)
    return {"alpha": alpha, **made}


def pooled(a, b, alpha):
    (s0, n0), (s1, n1) = a, b
    z, p_value = proportions_ztest([s1, s0], [n1, n0])
    interval = confint_proportions_2indep(s1, n1, s0, n0, method="newcomb", compare="diff", alpha=alpha)
    units = lambda s, n: sums_of([1] * s + [0] * (n - s), [1] * n)
    difference = s1 / n1 - s0 / n0
    return {"alpha": alpha, **reading("pooled_z", units(*a), units(*b), difference, difference / z, p_value, interval)}


def ratio(a, b, alpha):
    (y0, d0), (y1, d1) = a, b
    frame = pandas.DataFrame({
        "variant": [0] * len(y0) + [1] * len(y1),
        "y": numpy.concatenate([y0, y1]).astype(float),
        "d": numpy.concatenate([d0, d1]).astype(float),
    })
    metric = tea_tasting.RatioOfMeans("y", "d", use_t=False, confidence_level=1 - alpha)
    found = tea_tasting.Experiment({"ratio": metric}).analyze(frame)["ratio"]
    difference = found.effect_size
    assert found.effect_size_ci_lower is not None
    standard_error = difference / found.statistic
    interval = (found.effect_size_ci_lower, found.effect_size_ci_upper)
    made = reading("delta_z", sums_of(y0, d0), sums_of(y1, d1), difference, standard_error, found.pvalue, interval)
    return {"alpha": alpha, **made}


def orders(n, rate, median=4000):
    return numpy.where(rng.random(n) < rate, numpy.round(median * numpy.exp(rng.normal(0, 0.8, n))), 0)


def fixed_horizon():
    baskets = lambda n, mean: (lambda d: (numpy.round(d * rng.gamma(4, mean / 4, n)), d))(rng.integers(1, 6, n))
    return [
        welch(orders(700, 0.3), orders(900, 0.35), 0.05),
        welch(orders(12, 0.9), orders(5, 0.9), 0.1),
        welch(rng.integers(-40, 200, 300), rng.integers(0, 180, 40), 0.01),
        pooled((40, 2000), (62, 2100), 0.05),
        pooled((3, 150), (9, 140), 0.05),
        pooled((0, 150), (9, 140), 0.01),
        pooled((21000, 1000000), (21800, 1000000), 0.05),
        ratio(baskets(500, 900), baskets(400, 1000), 0.05),
        ratio(baskets(60, 900), baskets(50, 700), 0.1),
    ]


# The past.


def history_units(n, with_history, effect):
    h = rng.random(n) < with_history
    habit = rng.gamma(2, 700, n)
    x = numpy.where(h, numpy.round(habit * rng.gamma(3, 1 / 3, n)), 0)
    y = numpy.round(0.7 * habit * rng.gamma(3, 1 / 3, n) * (1 + effect) + 400 * h)
    return x.astype(int), y.astype(int), h


def history_case(name, strata):
    """Least squares on single units: y on c = h(x − x̄) and h around the means of each stratum."""
    all_x = numpy.concatenate([x[h] for stratum in strata for x, _, h in stratum])
    covariates, values = [], []
    for stratum in strata:
        x, y, h = (numpy.concatenate(parts) for parts in zip(*stratum))
        columns = numpy.column_stack([numpy.where(h, x - all_x.mean(), 0.0), h.astype(float)])
        covariates.append(columns - columns.mean(axis=0))
        values.append(y - y.mean())
    columns = numpy.concatenate(covariates)
    varies = columns[:, 1].any()
    used = columns if varies else columns[:, :1]
    coefficients = numpy.linalg.lstsq(used, numpy.concatenate(values), rcond=None)[0]
    slope, step = (coefficients[0], coefficients[1]) if varies else (coefficients[0], 0.0)
    before = after = 0.0
    cells = []
    for stratum, centered in zip(strata, covariates):
        start, found = 0, []
        for x, y, _ in stratum:
            part = centered[start : start + len(x)]
            start += len(x)
            adjusted = y - slope * part[:, 0] - step * part[:, 1]
            before += ((y - y.mean()) ** 2).sum()
            after += ((adjusted - adjusted.mean()) ** 2).sum()
            found.append({"mean": float(adjusted.mean()), "squares": float(((adjusted - adjusted.mean()) ** 2).sum())})
        cells.append(found)
    if len(strata) == 1 and len(strata[0]) == 2 and not varies:
        with_tea_tasting(strata[0], cells[0])
    return {
        "name": name,
        "strata": [
            [{"sums": sums_of(y, numpy.ones(len(y))), "history": history_of(x, y, h)} for x, y, h in stratum]
            for stratum in strata
        ],
        "slope": float(slope),
        "step": float(step),
        "removed": float(1 - after / before),
        "cells": cells,
    }


def with_tea_tasting(stratum, cells):
    frame = pandas.concat([
        pandas.DataFrame({"variant": variant, "x": x.astype(float), "y": y.astype(float)})
        for variant, (x, y, _) in enumerate(stratum)
    ])
    found = tea_tasting.Experiment({"mean": tea_tasting.Mean("y", "x", use_t=False)}).analyze(frame)["mean"]
    same(found.control, cells[0]["mean"])
    same(found.treatment, cells[1]["mean"])
    variance = sum(cell["squares"] / (len(y) - 1) / len(y) for cell, (_, y, _) in zip(cells, stratum))
    same(found.effect_size / found.statistic, variance**0.5)


def history():
    return [
        history_case("all have a history", [[history_units(400, 1.0, 0.0), history_units(500, 1.0, 0.1)]]),
        history_case("some have none", [[history_units(400, 0.6, 0.0), history_units(500, 0.6, 0.1)]]),
        history_case(
            "three strata, three variants",
            [[history_units(int(n), 0.5, effect) for n, effect in zip(sizes, (0, 0.1, 0.3))] for sizes in rng.integers(40, 300, (3, 3))],
        ),
    ]


# Weights that move.


def adaptive_units(n, shares, rates):
    got = rng.choice(len(shares), n, p=shares)
    y = numpy.where(rng.random(n) < numpy.array(rates)[got], numpy.round(3000 * numpy.exp(rng.normal(0, 0.5, n))), 0)
    return got, y


def aipw_case(plan):
    strata = [(shares, *adaptive_units(n, shares, rates)) for n, shares, rates in plan]

    def scores(i):
        """The scores of variant i, stratum by stratum, and the probabilities."""
        found = []
        for b, (shares, got, y) in enumerate(strata):
            earlier = numpy.concatenate([y0[got0 == i] for _, got0, y0 in strata[:b]] or [[]])
            everyone = numpy.concatenate([y0 for _, _, y0 in strata[:b]] or [y])
            expected = earlier.mean() if len(earlier) else everyone.mean()
            share = shares[i]
            found.append(expected + (got == i) / share * (y - expected) if share > 0 else None)
        return found

    def weighted(h, phi, center=None):
        h, phi = numpy.concatenate(h), numpy.concatenate(phi)
        value = (h * phi).sum() / h.sum() if center is None else center
        return float(value), float(numpy.sqrt((h**2 * (phi - value) ** 2).sum()) / h.sum())

    variants = range(len(strata[0][0]))
    phi = [scores(i) for i in variants]
    means, lifts = [], []
    total = sum(len(y) for _, _, y in strata)
    for i in variants:
        used = [b for b, (shares, _, _) in enumerate(strata) if shares[i] > 0]
        h = [numpy.full(len(phi[i][b]), numpy.sqrt(strata[b][0][i])) for b in used]
        value, standard_error = weighted(h, [phi[i][b] for b in used])
        left_out = 1 - sum(map(len, h)) / total
        means.append({"value": value, "standard_error": standard_error, "left_out": left_out})
        used = [b for b in used if strata[b][0][0] > 0]
        h = [numpy.full(len(phi[i][b]), (1 / strata[b][0][i] + 1 / strata[b][0][0]) ** -0.5) for b in used]
        pairs = [(phi[i][b], phi[0][b]) for b in used]
        if i:
            value, standard_error = weighted(h, [a - c for a, c in pairs])
            own, control = (weighted(h, side)[0] for side in zip(*pairs))
            _, log_error = weighted(h, [a / own - c / control for a, c in pairs], 0.0)
            lifts.append({
                "value": value,
                "standard_error": standard_error,
                "log_ratio": float(numpy.log(own / control)),
                "log_ratio_error": log_error,
            })
    return {
        "strata": [
            {"shares": list(shares), "sums": [sums_of(y[got == i], numpy.ones((got == i).sum())) for i in variants]}
            for shares, got, y in strata
        ],
        "means": means,
        "lifts": lifts,
        "period": period(strata, variants),
    }


def period(strata, variants):
    used = [(got, y) for _, got, y in strata if all((got == i).any() for i in variants)]
    sizes = numpy.array([len(y) for _, y in used], dtype=float)
    weights = sizes / sizes.sum()
    means = []
    for i in variants:
        value = sum(weight * y[got == i].mean() for weight, (got, y) in zip(weights, used))
        variance = sum(weight**2 * y[got == i].var(ddof=1) / (got == i).sum() for weight, (got, y) in zip(weights, used))
        means.append({"value": float(value), "standard_error": float(numpy.sqrt(variance))})
    return {"means": means, "left_out": 1 - sizes.sum() / sum(len(y) for _, _, y in strata)}


def aipw():
    rates = [0.1, 0.12, 0.2]
    return [
        aipw_case([(400, [0.5, 0.5], [0.1, 0.2]), (500, [0.3, 0.7], [0.1, 0.2]), (600, [0.1, 0.9], [0.2, 0.4])]),
        aipw_case([(300, [0.6, 0.4, 0.0], rates), (500, [0.2, 0.5, 0.3], rates), (200, [0.1, 0.2, 0.7], rates)]),
    ]


# The delivery.


def log_evidence(alphas, shares, units):
    """The published formula, with any prior."""
    alphas, shares = [mpf(each) for each in alphas], [mpf(each) for each in shares]
    total, n = mpmath.fsum(alphas), sum(units)
    log = mpmath.loggamma(total) - mpmath.loggamma(total + n)
    for alpha, share, units_i in zip(alphas, shares, units):
        log += mpmath.loggamma(alpha + units_i) - mpmath.loggamma(alpha) - units_i * mpmath.log(share)
    return log


def ratio_case(concentration, strata):
    """The tilt is taken over from stratum to stratum, as the comment on `sequential` says."""
    k = len(strata[0][0])
    observed, expected, log, largest = [mpf(0)] * k, [mpf(0)] * k, mpf(0), mpf(0)
    for shares, units in strata:
        used = [i for i in range(k) if shares[i] > 0]
        share = {i: mpf(shares[i]) / mpmath.fsum(map(mpf, shares)) for i in used}
        c = mpf(concentration)
        raw = {i: share[i] * (c * share[i] + observed[i]) / (c * share[i] + expected[i]) for i in used}
        worth = mpmath.fsum(1 / share[i] for i in used) / mpmath.fsum(1 / (c * share[i] + expected[i]) for i in used)
        alphas = [worth * raw[i] / mpmath.fsum(raw.values()) for i in used]
        log += log_evidence(alphas, [share[i] for i in used], [units[i] for i in used])
        largest = max(largest, log)
        for i in used:
            observed[i] += units[i]
            expected[i] += share[i] * sum(units)
    same_shares = all(shares == strata[0][0] for shares, _ in strata)
    if same_shares:
        shares = [mpf(each) / mpmath.fsum(map(mpf, strata[0][0])) for each in strata[0][0]]
        together = [sum(units[i] for _, units in strata) for i in range(k)]
        published = log_evidence([concentration * share for share in shares], shares, together)
        assert abs(published - log) < mpf(10) ** -30, (published, log)
    return {
        "concentration": concentration,
        "strata": [{"shares": shares, "units": units} for shares, units in strata],
        "log_evidence": float(log),
        "log_evidence_max": float(largest),
        "chi_square": chi_square(strata),
    }


def chi_square(strata):
    k = len(strata[0][0])
    excess, variance = numpy.zeros(k), numpy.zeros((k, k))
    for shares, units in strata:
        e, n = numpy.array(shares) / sum(shares), sum(units)
        excess += numpy.array(units) - n * e
        variance += n * (numpy.diag(e) - numpy.outer(e, e))
    statistic = float(excess @ numpy.linalg.pinv(variance, rcond=1e-10) @ excess)
    degrees = int(numpy.linalg.matrix_rank(variance, tol=1e-10 * variance.max()))
    if len(strata) == 1 and min(strata[0][0]) > 0:
        shares, units = strata[0]
        same(stats.chisquare(units, numpy.array(shares) / sum(shares) * sum(units)).statistic, statistic)
    return {"statistic": statistic, "degrees": degrees, "p_value": float(stats.chi2.sf(statistic, degrees))}


def sample_ratio():
    return [
        ratio_case(1000, [([0.5, 0.5], [821, 810])]),
        ratio_case(1000, [([0.5, 0.5], [600, 400])]),
        ratio_case(100, [([0.25, 0.25, 0.5], [120, 131, 249]), ([0.25, 0.25, 0.5], [110, 130, 260])]),
        ratio_case(100, [([0.5, 0.5], [260, 240]), ([0.25, 0.75], [130, 370]), ([0.0625, 0.9375], [40, 460])]),
        ratio_case(10, [([0.5, 0.5, 0.0], [9, 3, 0]), ([0.125, 0.625, 0.25], [2, 9, 6]), ([0.0, 0.5, 0.5], [0, 5, 9])]),
        ratio_case(1000, [([0.5, 0.5], [5_003_000, 4_997_000]), ([0.125, 0.875], [1_250_400, 8_749_600])]),
        ratio_case(100, [([1.0, 0.0], [40, 0]), ([0.5, 0.5], [0, 0]), ([0.5, 0.5], [3, 12])]),
    ]


json.dump(
    {
        "made_by": "tests/vectors/adaptive.py",
        "packages": {
            module.__name__: module.__version__ for module in (mpmath, numpy, pandas, scipy, statsmodels, tea_tasting)
        },
        "fixed_horizon": fixed_horizon(),
        "history": history(),
        "adaptive": aipw(),
        "sample_ratio": sample_ratio(),
    },
    sys.stdout,
    indent=1,
)
print()
