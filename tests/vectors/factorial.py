"""Makes factorial.json: main and two-way effects, from implementations that are not ours.

    pip install -r tests/requirements.txt
    python tests/vectors/factorial.py > tests/vectors/factorial.json

Effects come from statsmodels: ordinary least squares over all units, with sum-to-zero coding by patsy. Standard errors
come from numpy: the same estimates written as weighted sums of the variants' means, with the variants' own variances.
"""

import itertools
import json
import sys

import numpy
import pandas
import statsmodels
import statsmodels.formula.api as formula

FACTORS = {"color": ["red", "blue", "green"], "headline": ["short", "long", "question"], "price": ["9.99", "10"]}

TWO_LEVELS = {name: levels[:2] for name, levels in FACTORS.items()}


def units(rng, combinations, sizes, kind):
    """One value a unit; the variants differ by factors, by two factors together, and by all three."""
    frames = []
    for (combination, n) in zip(combinations, sizes):
        color, headline, price = (FACTORS[factor].index(level) for factor, level in combination.items())
        level = 0.03 + 0.004 * color - 0.006 * headline + 0.005 * price + 0.003 * color * headline + 0.002 * color * price
        level += 0.001 * color * headline * price
        if kind == "proportion":
            y = (rng.random(n) < level).astype(int)
        else:
            y = numpy.where(rng.random(n) < 0.2, rng.lognormal(8 + level, 0.7, n), 0).astype(int)
        frames.append(pandas.DataFrame({**combination, "y": y}))
    return pandas.concat(frames, ignore_index=True)


def columns(level, levels):
    """The sum-to-zero coding of a level."""
    position = levels.index(level)
    return [-1.0 if position == len(levels) - 1 else float(position == i) for i in range(len(levels) - 1)]


def terms(names, pairs):
    chosen = [()] + [(name,) for name in names]
    return chosen + (list(itertools.combinations(names, 2)) if pairs else [])


def row(factors, combination, term):
    parts = [columns(combination[name], factors[name]) for name in term]
    return [float(numpy.prod(product)) for product in itertools.product(*parts)]


def effects(frame, factors, combinations, pairs):
    """Every effect, by `factor=level` and `factor=level,factor=level`, with its standard error."""
    names = list(factors)
    cells = [frame[(frame[names] == pandas.Series({n: c[n] for n in names})).all(axis=1)].y for c in combinations]
    n = numpy.array([len(cell) for cell in cells], dtype=float)
    variances = numpy.array([cell.var(ddof=1) for cell in cells]) / n
    chosen = terms(names, pairs)
    x = numpy.array([sum((row(factors, combination, term) for term in chosen), []) for combination in combinations])
    hat = numpy.linalg.solve(x.T @ (n[:, None] * x), x.T * n)
    covariance = hat @ numpy.diag(variances) @ hat.T
    coefficients = hat @ numpy.array([cell.mean() for cell in cells])
    # statsmodels sees the units themselves.
    coded = frame.assign(**{name: pandas.Categorical(frame[name], factors[name]) for name in names})
    right = " + ".join(":".join(f"C({name}, Sum)" for name in term) for term in chosen if term)
    fit = formula.ols(f"y ~ {right}", coded).fit()
    assert len(fit.params) == len(coefficients), (fit.params, coefficients)
    assert numpy.allclose(sorted(fit.params), sorted(coefficients), rtol=1e-8, atol=1e-12)

    def effect(contrast):
        return {"value": float(contrast @ coefficients), "se": float(numpy.sqrt(contrast @ covariance @ contrast))}

    found, first = {"": effect(numpy.eye(len(coefficients))[0])}, 0
    for term in chosen:
        width = len(row(factors, combinations[0], term))
        for levels in itertools.product(*(factors[name] for name in term)):
            if term:
                contrast = numpy.zeros(len(coefficients))
                contrast[first : first + width] = row(factors, dict(zip(term, levels)), term)
                found[",".join(f"{name}={level}" for name, level in zip(term, levels))] = effect(contrast)
        first += width
    return found


def case(name, seed, kind, sizes, chosen=None, factors=FACTORS, pairs=True):
    """One experiment; the first combination is the control."""
    rng = numpy.random.default_rng(seed)
    combinations = [dict(zip(factors, levels)) for levels in itertools.product(*factors.values())]
    combinations = [c for c in combinations if chosen is None or chosen(c)]
    sizes = sizes(rng, len(combinations)) if callable(sizes) else [sizes] * len(combinations)
    frame = units(rng, combinations, sizes, kind)
    variants = []
    for combination in combinations:
        cell = frame[(frame[list(factors)] == pandas.Series(combination)).all(axis=1)].y
        mean = float(cell.mean())
        variants.append(
            {
                "levels": combination,
                "n": len(cell),
                "n_nonzero": int((cell != 0).sum()),
                "mean": mean,
                "squares": float(((cell - cell.mean()) ** 2).sum()),
            }
        )
    return {"name": name, "variants": variants, "effects": effects(frame, factors, combinations, pairs)}


def skewed(rng, n):
    return [int(size) for size in 100 * 200 ** rng.random(n)]


def even(combination):
    """Keeps the combinations of which an even number of levels are the second one."""
    return sum(FACTORS[factor].index(level) for factor, level in combination.items()) % 2 == 0


json.dump(
    {
        "made_by": "tests/vectors/factorial.py",
        "packages": {
            "statsmodels": statsmodels.__version__,
            "numpy": numpy.__version__,
            "pandas": pandas.__version__,
        },
        "cases": [
            case("full, even", 1, "proportion", 2_000),
            case("full, by a bandit", 2, "proportion", skewed),
            case("full, amounts", 3, "mean", skewed),
            case("all but one", 4, "mean", skewed, lambda c: c != {"color": "green", "headline": "long", "price": "10"}),
            case("half", 5, "mean", skewed, even, TWO_LEVELS, pairs=False),
        ],
    },
    sys.stdout,
    indent=1,
)
print()
