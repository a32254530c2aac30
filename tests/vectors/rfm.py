"""Makes rfm.json: recency, frequency and monetary scores of customers, from pandas.

    pip install -r tests/requirements.txt
    python tests/vectors/rfm.py > tests/vectors/rfm.json

Scores are `pandas.qcut(…, 5)` where its edges differ from each other. Where they do not, because many customers are
equal, qcut refuses; there a score is one more than the number of numpy's percentiles (20, 40, 60, 80, linear) that are
below the value, which is what qcut says wherever it says anything; the script stops if it does not.
"""

import json
import sys

import numpy
import pandas

SHARES = [0.2, 0.4, 0.6, 0.8]


def scores(values):
    values = pandas.Series(values, dtype="int64")
    cuts = numpy.quantile(values.to_numpy(), SHARES, method="linear")
    ours = numpy.searchsorted(cuts, values.to_numpy(), side="left") + 1
    edges = numpy.concatenate([[values.min()], cuts, [values.max()]])
    if len(set(edges)) == len(edges):
        theirs = pandas.qcut(values, 5, labels=[1, 2, 3, 4, 5]).astype(int).to_numpy()
        if not (ours == theirs).all():
            sys.exit("qcut says otherwise")
        scores.n_qcut += 1
    return [int(score) for score in ours]


scores.n_qcut = 0


def population(rng, size, orders_mean, even):
    last_order = rng.integers(1_700_000_000, 1_790_000_000, size)
    orders = numpy.arange(1, size + 1) if even else rng.geometric(1 / orders_mean, size)
    revenue = rng.integers(-2, 200_000, size) * orders // 2
    columns = {"last_order_s": last_order, "orders": orders, "revenue_minor": revenue}
    scored = {"recency": last_order, "frequency": orders, "monetary": revenue}
    columns |= {name: scores(values) for name, values in scored.items()}
    names = list(columns)
    return [dict(zip(names, map(int, row))) for row in zip(*columns.values())]


def main():
    rng = numpy.random.default_rng(555)
    sizes = [2, 3, 5, 6, 11, 16, 37, 101]
    populations = [population(rng, size, 3, even) for size in sizes for even in (True, False)]
    if scores.n_qcut < 2 * len(sizes):
        sys.exit("qcut was asked too rarely")
    rows = [[json.dumps(customer) for customer in customers] for customers in populations]
    text = ",\n".join("  [\n   " + ",\n   ".join(customers) + "\n  ]" for customers in rows)
    print('{\n "populations": [\n' + text + "\n ]\n}")


main()
