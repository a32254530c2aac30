"""Makes posterior.json: reference figures for core/src/posterior, from implementations that are not ours.

    pip install mpmath==1.4.1 scipy==1.17.1 numpy==2.4.6
    python tests/vectors/posterior.py > tests/vectors/posterior.json

Families are evaluated by mpmath in 30 digits. Comparisons are integrated by scipy's adaptive quadrature over
scipy's distribution functions; those of few variants are integrated once more by mpmath in 30 digits, and the
script stops if the two differ by more than 1e-9. Parameters from sums are exact fractions until the last root.
"""

import json
import sys
from fractions import Fraction

import mpmath
import numpy
import scipy
from mpmath import mp, mpf
from scipy import special, stats
from scipy.integrate import quad_vec
from scipy.optimize import brentq

mp.dps = 30


# Families, by mpmath.


def log_pdf(posterior, x):
    family, a, b = posterior["family"], mpf(posterior["a"]), mpf(posterior["b"])
    if family == "beta":
        log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
        return (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log(1 - x) - log_beta
    if family == "normal":
        return -((x - a) ** 2) / (2 * b**2) - mpmath.log(b) - mpmath.log(2 * mpmath.pi) / 2
    degrees = mpf(posterior["degrees"])
    z = (x - a) / b
    return (
        mpmath.loggamma((degrees + 1) / 2)
        - mpmath.loggamma(degrees / 2)
        - mpmath.log(degrees * mpmath.pi) / 2
        - mpmath.log(b)
        - (degrees + 1) / 2 * mpmath.log(1 + z * z / degrees)
    )


def cdf(posterior, x):
    family, a, b = posterior["family"], mpf(posterior["a"]), mpf(posterior["b"])
    if family == "normal":
        return mpmath.ncdf((x - a) / b)
    if family == "student_t":
        degrees, z = mpf(posterior["degrees"]), (x - a) / b
        if degrees > 10_000:
            return by_quadrature(posterior, x, a, b)
        tail = mpmath.betainc(degrees / 2, mpf(1) / 2, 0, degrees / (degrees + z * z), regularized=True) / 2
        return 1 - tail if z > 0 else tail
    if a + b > 10_000:
        mean = a / (a + b)
        return by_quadrature(posterior, x, mean, mpmath.sqrt(mean * (1 - mean) / (a + b + 1)))
    return mpmath.betainc(a, b, 0, x, regularized=True)


def by_quadrature(posterior, x, center, width):
    """The incomplete beta function needs too many terms at ten million: the density is integrated instead."""
    start = center - 40 * width
    if posterior["family"] == "beta":
        start = max(start, mpf(0))
    if x <= start:
        return mpf(0)
    n_panels = int(mpmath.ceil((x - start) / width)) + 1
    edges = [start + (x - start) * k / n_panels for k in range(n_panels + 1)]
    return mpmath.quad(lambda t: mpmath.exp(log_pdf(posterior, t)) if t > 0 or posterior["family"] != "beta" else 0, edges)


def family_case(posterior, xs):
    points = []
    for x in xs:
        point = mpf(x)
        points.append({"x": x, "log_pdf": float(log_pdf(posterior, point)), "cdf": float(cdf(posterior, point))})
    return {"posterior": posterior, "points": points}


def beta(a, b):
    return {"family": "beta", "a": a, "b": b}


def normal(mean, sd):
    return {"family": "normal", "a": mean, "b": sd}


def student_t(degrees, location, scale):
    return {"family": "student_t", "degrees": degrees, "a": location, "b": scale}


def families():
    around = lambda mean, sd: [mean + z * sd for z in (-6, -3, -1, -0.1, 0, 0.5, 2, 5)]
    return [
        family_case(beta(1, 1), [0.0625, 0.5, 0.875]),
        family_case(beta(1, 3), [0.001, 0.25, 0.9]),
        family_case(beta(3, 1), [0.1, 0.75, 0.999]),
        family_case(beta(2.5, 7.25), [0.01, 0.25, 0.6]),
        family_case(beta(21, 981), [0.005, 0.015, 0.02, 0.03, 0.05]),
        family_case(beta(1, 10_000_001), [1e-9, 1e-7, 5e-7, 2e-6]),
        family_case(beta(10_000_001, 1), [0.999998, 0.9999999, 0.999999999]),
        family_case(beta(4, 9_999_998), [1e-8, 3e-7, 1e-6]),
        family_case(beta(200_001, 9_800_001), around(0.02, 4.427e-5)),
        family_case(beta(5_000_001, 5_000_001), around(0.5, 1.581e-4)),
        family_case(normal(-3.5, 0.25), around(-3.5, 0.25)),
        family_case(normal(4_500_000.0, 1200.0), around(4_500_000.0, 1200.0)),
        family_case(student_t(1, 10, 2), [-1e6, -100, 7, 10, 11, 40, 1e4]),
        family_case(student_t(2, 0, 1), [-1e3, -20, -1, 0, 0.3, 5]),
        family_case(student_t(3, 0, 1), [-200, -20, -1, 0, 0.3, 5]),
        family_case(student_t(12, -4, 0.5), around(-4, 0.5)),
        family_case(student_t(1001, 5000, 12), around(5000, 12)),
        family_case(student_t(10_000_001, 5000, 0.125), around(5000, 0.125)),
    ]


# Comparisons, by scipy.


def moments(posterior):
    a, b = posterior["a"], posterior["b"]
    if posterior["family"] == "beta":
        mean = a / (a + b)
        return mean, (mean * (1 - mean) / (a + b + 1)) ** 0.5
    return a, b


def vectorized(posteriors):
    """The densities and distribution functions of all variants at one x."""

    def frozen(posterior):
        if posterior["family"] == "beta":
            return stats.beta(posterior["a"], posterior["b"])
        if posterior["family"] == "normal":
            return stats.norm(posterior["a"], posterior["b"])
        return stats.t(posterior["degrees"], posterior["a"], posterior["b"])

    families_of = {posterior["family"] for posterior in posteriors}
    a = numpy.array([posterior["a"] for posterior in posteriors], dtype=float)
    b = numpy.array([posterior["b"] for posterior in posteriors], dtype=float)
    if families_of == {"beta"}:
        log_norm = special.betaln(a, b)
        # log densities lose digits at ten million; scipy's own density does not
        density = stats.beta.pdf if max(a + b) > 1e5 else None
        def pdf(x):
            if density is not None:
                return density(x, a, b)
            return numpy.exp(special.xlogy(a - 1, x) + special.xlog1py(b - 1, -x) - log_norm)
        return pdf, lambda x: special.betainc(a, b, x)
    if families_of == {"normal"}:
        return lambda x: numpy.exp(-(((x - a) / b) ** 2) / 2) / (b * (2 * numpy.pi) ** 0.5), lambda x: special.ndtr((x - a) / b)
    if families_of == {"student_t"}:
        degrees = numpy.array([posterior["degrees"] for posterior in posteriors], dtype=float)
        norm = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2) - numpy.log(degrees * numpy.pi) / 2
        large = degrees > 1e5
        norm[large] = -0.5 * numpy.log(2 * numpy.pi) - 1 / (4 * degrees[large])
        def pdf(x):
            return numpy.exp(norm - (degrees + 1) / 2 * numpy.log1p(((x - a) / b) ** 2 / degrees)) / b
        return pdf, lambda x: special.stdtr(degrees, (x - a) / b)
    distributions = [frozen(posterior) for posterior in posteriors]
    return (
        lambda x: numpy.array([distribution.pdf(x) for distribution in distributions]),
        lambda x: numpy.array([distribution.cdf(x) for distribution in distributions]),
    )


def edges_of(posteriors, reach):
    edges = set()
    for posterior in posteriors:
        center, width = moments(posterior)
        far = [15, 30] if posterior["family"] != "student_t" or posterior["degrees"] > 50 else [10**k for k in range(1, reach)]
        for z in [0, 0.5, 1, 2, 3, 4.5, 6, 8, 10, *far]:
            edges |= {center - z * width, center + z * width}
    if all(posterior["family"] == "beta" for posterior in posteriors):
        edges = {min(max(edge, 0.0), 1.0) for edge in edges}
    return sorted(edges)


def comparison_case(name, posteriors, direction="increase", confirm=False):
    k = len(posteriors)
    pdf, cumulative = vectorized(posteriors)
    sign = 1 if direction == "increase" else -1

    def integrand(x):
        density, below = pdf(x), cumulative(x)
        if sign < 0:
            below = 1 - below
        others = numpy.array([numpy.prod(numpy.delete(below, i)) for i in range(k)])
        return numpy.concatenate([density * others, below * (1 - others), density * below[0]])

    edges = edges_of(posteriors, 10)
    total = numpy.zeros(3 * k)
    for start, end in zip(edges, edges[1:]):
        scale = min(moments(posterior)[1] for posterior in posteriors)
        part, _ = quad_vec(integrand, start, end, epsabs=1e-13 * max(scale, 1e-3), epsrel=1e-12, norm="max", limit=200)
        total += part
    p_best, loss, beats = total[:k], total[k : 2 * k], total[2 * k :]
    if confirm:
        for i in range(k):
            exact = by_mpmath(posteriors, edges, i, sign)
            assert abs(exact - p_best[i]) < 1e-9, (name, i, exact, p_best[i])
    has_mean = all(posterior["family"] != "student_t" or posterior["degrees"] > 1 for posterior in posteriors)
    assert abs(sum(p_best) - 1) < 1e-6, (name, sum(p_best))
    print(name, k, sum(p_best) - 1, file=sys.stderr)
    return {
        "name": name,
        "direction": direction,
        "confirmed_in_30_digits": confirm,
        "posteriors": posteriors,
        "p_best": list(p_best / sum(p_best)),
        "expected_loss": list(loss) if has_mean else None,
        "beats_first": [0.5, *beats[1:]],
    }


def by_mpmath(posteriors, edges, i, sign):
    def integrand(x):
        value = mpmath.exp(log_pdf(posteriors[i], x)) if 0 < x < 1 or posteriors[i]["family"] != "beta" else mpf(0)
        for j, other in enumerate(posteriors):
            if j != i:
                below = cdf(other, x)
                value *= below if sign > 0 else 1 - below
        return value

    return float(mpmath.quad(integrand, [mpf(edge) for edge in edges], maxdegree=5))


def comparisons():
    rng = numpy.random.default_rng(20240501)
    wide = [beta(1 + int(s), 1 + int(n - s)) for n, s in zip(rng.integers(200, 20_000, 64), rng.integers(4, 150, 64))]
    many = [beta(1 + int(s), 4001 - int(s)) for s in rng.integers(60, 120, 128)]
    amounts = [student_t(1 + int(n), float(m), float(s)) for n, m, s in zip(rng.integers(2, 5000, 10), rng.normal(4000, 40, 10), rng.uniform(5, 80, 10))]
    ratios = [normal(float(m), float(s)) for m, s in zip(rng.normal(2.5, 0.02, 10), rng.uniform(0.001, 0.05, 10))]
    return [
        comparison_case("nobody yet", [beta(1, 1)] * 3, confirm=True),
        comparison_case("one success", [beta(2, 1), beta(1, 1)], confirm=True),
        comparison_case("two, small", [beta(21, 981), beta(31, 971)], confirm=True),
        comparison_case("three, small", [beta(21, 981), beta(31, 971), beta(25, 977)], confirm=True),
        comparison_case("less is better", [beta(21, 981), beta(31, 971), beta(25, 977)], "decrease", confirm=True),
        comparison_case("no success against few", [beta(1, 500), beta(3, 498), beta(1, 90)], confirm=True),
        comparison_case("ten million each", [beta(200_001, 9_800_001), beta(200_101, 9_799_901), beta(199_901, 9_800_101)]),
        comparison_case("ten million against three", [beta(200_001, 9_800_001), beta(1, 4)]),
        comparison_case("ten million against three, between", [beta(200_001, 9_800_001), beta(2, 3), beta(200_101, 9_799_901)]),
        comparison_case("ten million without success", [beta(1, 10_000_001), beta(2, 10_000_000), beta(1, 5_000_001)]),
        comparison_case("ten million with success", [beta(10_000_001, 1), beta(10_000_000, 2), beta(5_000_001, 1)]),
        comparison_case("ten million with success, less is better", [beta(10_000_001, 1), beta(10_000_000, 2)], "decrease"),
        comparison_case("ten, Open Bandit", [beta(1 + s, 1 + 120 - s) for s in (0, 0, 1, 0, 2, 0, 1, 3, 0, 1)], confirm=False),
        comparison_case("sixty-four, unequal", wide),
        comparison_case("sixty-four, unequal, less is better", wide, "decrease"),
        comparison_case("one hundred and twenty-eight", many),
        comparison_case("normal, two", [normal(1.0, 0.5), normal(1.25, 0.25)], confirm=True),
        comparison_case("normal, ten", ratios),
        comparison_case("normal, ten, less is better", ratios, "decrease"),
        comparison_case("normal, peaked and wide", [normal(0.0, 1.0), normal(0.5, 1e-6), normal(0.500001, 1e-6)]),
        comparison_case("normal, far apart", [normal(0.0, 1.0), normal(1e6, 1e-3), normal(1e6 + 1e-3, 1e-3)]),
        comparison_case("student, ten", amounts),
        comparison_case("student, ten, less is better", amounts, "decrease"),
        comparison_case("student, no data against data", [student_t(1, 100, 40), student_t(500, 103, 2), student_t(500, 99, 2)]),
        comparison_case("student, no data at all but one", [student_t(1, 100, 40), student_t(1, 100, 40), student_t(50, 100, 6)]),
        comparison_case("student, one and two units", [student_t(2, 100, 28), student_t(3, 90, 19), student_t(4, 110, 13)]),
        comparison_case("student, ten million", [student_t(10_000_001, 5000, 0.5), student_t(10_000_001, 5000.5, 0.5), student_t(4, 4990, 20)]),
    ]


# What may still be gained, by scipy: the leader's density against the others' distribution functions.


def remaining_case(posteriors, leader, direction="increase", level=0.95):
    pdf, cumulative = vectorized(posteriors)
    edges = [edge for edge in edges_of([posteriors[leader]], 10)]
    sign = 1 if direction == "increase" else -1

    def within(value):
        def integrand(x):
            raised = x * (1 + sign * value)
            below = cumulative(min(raised, 1.0) if posteriors[leader]["family"] == "beta" else raised)
            if sign < 0:
                below = 1 - below
            return pdf(x)[leader] * numpy.prod(numpy.delete(below, leader))

        parts = [quad_vec(integrand, a, b, epsabs=1e-12, epsrel=1e-12, limit=400)[0] for a, b in zip(edges, edges[1:])]
        return sum(parts)

    value = 0.0 if within(0.0) >= level else brentq(lambda v: within(v) - level, 0.0, 100.0 if sign > 0 else 1.0, xtol=1e-10)
    return {"posteriors": posteriors, "leader_idx": leader, "direction": direction, "level": level, "value": value}


def remaining():
    return [
        remaining_case([beta(21, 981), beta(31, 971)], 1),
        remaining_case([beta(21, 981), beta(31, 971), beta(25, 977)], 1, level=0.8),
        remaining_case([beta(21, 981), beta(31, 971), beta(25, 977)], 0, "decrease"),
        remaining_case([beta(401, 9601), beta(501, 9501)], 1),
        remaining_case([beta(3, 9), beta(1, 2)], 0),
        remaining_case([normal(2.5, 0.05), normal(2.52, 0.04)], 1),
        remaining_case([student_t(500, 103, 2), student_t(400, 101, 3), student_t(30, 99, 6)], 0),
    ]


# From sums, by exact fractions.


def sums_of(pairs):
    """Sums as text: squares are beyond what JSON numbers are sure to keep."""
    sums = {
        "n": len(pairs),
        "n_nonzero": sum(1 for y, _ in pairs if y != 0),
        "y": sum(y for y, _ in pairs),
        "d": sum(d for _, d in pairs),
        "yy": sum(y * y for y, _ in pairs),
        "yd": sum(y * d for y, d in pairs),
        "dd": sum(d * d for _, d in pairs),
    }
    return {name: str(value) for name, value in sums.items()}


def root(fraction):
    return float(mpmath.sqrt(mpf(fraction.numerator) / fraction.denominator))


def mean_case(variants):
    everyone = [y for variant in variants for y, _ in variant]
    prior_mean = Fraction(sum(everyone), len(everyone))
    prior_variance = sum((y - prior_mean) ** 2 for y in everyone) / (len(everyone) - 1)
    expected = []
    for variant in variants:
        ys = [y for y, _ in variant]
        n = len(ys)
        mean = Fraction(sum(ys), n) if n else prior_mean
        squares = prior_variance + sum((y - mean) ** 2 for y in ys) + Fraction(n, n + 1) * (mean - prior_mean) ** 2
        expected.append(student_t(n + 1, float((prior_mean + sum(ys)) / (n + 1)), root(squares / (n + 1) ** 2)))
    return {"kind": "mean", "sums": [sums_of(variant) for variant in variants], "posteriors": expected}


def ratio_case(variants):
    everyone = [pair for variant in variants for pair in variant]
    prior_ratio = Fraction(sum(y for y, _ in everyone), sum(d for _, d in everyone))
    prior_denominator = Fraction(sum(d for _, d in everyone), len(everyone))
    prior_variance = sum((y - prior_ratio * d) ** 2 for y, d in everyone) / (len(everyone) - 1)
    expected = []
    for variant in variants:
        denominator = prior_denominator + sum(d for _, d in variant)
        ratio = (prior_ratio * prior_denominator + sum(y for y, _ in variant)) / denominator
        squares = prior_variance + sum((y - ratio * d) ** 2 for y, d in variant)
        squares += ((prior_ratio - ratio) * prior_denominator) ** 2
        expected.append(normal(float(ratio), root(squares / denominator**2)))
    return {"kind": "ratio", "sums": [sums_of(variant) for variant in variants], "posteriors": expected}


def from_sums():
    rng = numpy.random.default_rng(7)

    def orders(n, rate, low=500, high=90_000):
        amounts = numpy.where(rng.random(n) < rate, rng.integers(low, high, n), 0)
        return [(int(y), 1) for y in amounts]

    def baskets(n):
        items = rng.integers(0, 6, n)
        return [(int(rng.integers(300, 4000)) * int(d), int(d)) for d in items]

    level = 2**52
    return [
        mean_case([orders(400, 0.05), orders(380, 0.06), orders(3, 1.0)]),
        mean_case([orders(400, 0.05), [], orders(1, 1.0)]),
        mean_case([[(7, 1), (7, 1)], [(8, 1)], []]),
        mean_case([[(-5, 1), (12, 1), (0, 1)], [(3, 1), (-40, 1)]]),
        mean_case([[(level + 1, 1), (level + 5, 1), (level + 9, 1)], [(level + 2, 1), (level - 2, 1)]]),
        ratio_case([baskets(300), baskets(280), baskets(4)]),
        ratio_case([baskets(300), []]),
        ratio_case([[(0, 0), (9, 3), (0, 2)], [(0, 0), (0, 0)], [(5, 1)]]),
    ]


json.dump(
    {
        "made_by": "tests/vectors/posterior.py",
        "packages": {"mpmath": mpmath.__version__, "scipy": scipy.__version__, "numpy": numpy.__version__},
        "families": families(),
        "from_sums": from_sums(),
        "comparisons": comparisons(),
        "value_remaining": remaining(),
    },
    sys.stdout,
    indent=1,
)
print()
