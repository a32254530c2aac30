#!/usr/bin/env python3
"""Computes from the raw files, without Podium, what Podium must report, and writes tests/vectors/real_data.json.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install pandas xxhash
    python3 fetch.py /tmp/raw
    /tmp/venv/bin/python reference.py /tmp/raw            rewrite the vectors
    /tmp/venv/bin/python reference.py /tmp/raw --check    recompute and compare; exit 1 if they differ

It shares no code with fetch.py. It also reads the compact extracts and stops if they do not give back every row.
"""

import argparse
import hashlib
import json
import math
import pathlib
import sys
from decimal import Decimal

import pandas
import xxhash

HERE = pathlib.Path(__file__).resolve().parent
VECTORS = HERE.parent.parent / "tests" / "vectors" / "real_data.json"
CDNOW_RAW = "lifetimes/datasets/CDNOW_master.txt"
OBD_RAW = "obp/dataset/obd/{policy}/women/women.csv"
VARIANTS = ("a", "b")
WINDOWS_DAYS = (30, 90)
ITEMS = 46
POLICIES = ("random", "bts")


def ratio(numerator, denominator):
    """Gives a figure exactly, as two integers, and rounded once to a float."""
    return {"numerator": int(numerator), "denominator": int(denominator), "value": int(numerator) / int(denominator)}


# --- CDNOW -----------------------------------------------------------------------------------------------------------


def read_cdnow(raw):
    """Reads the order log: customer number, days since 1997-01-01, units, cents; the file's order is kept."""
    columns = ["customer", "date", "units", "amount"]
    orders = pandas.read_csv(raw / CDNOW_RAW, sep=r"\s+", skiprows=1, names=columns, dtype=str)
    orders["number"] = orders.customer.astype(int)
    orders["day"] = (pandas.to_datetime(orders.date, format="%Y%m%d") - pandas.Timestamp("1997-01-01")).dt.days
    orders["units"] = orders.units.astype(int)
    orders["cents"] = orders.amount.map(lambda amount: int(Decimal(amount) * 100))
    orders["unit"] = "cdnow-" + orders.customer
    orders["since_first"] = orders.day - orders.groupby("number").day.transform("min")
    return orders


def variant_of(unit, salt):
    """Buckets a unit into two equal variants by weighted rendezvous hashing with XXH3, 64 bit."""
    scores = []
    for variant in VARIANTS:
        seed = xxhash.xxh3_64_intdigest(f"{salt}/{variant}".encode(), seed=0)
        uniform = ((xxhash.xxh3_64_intdigest(unit.encode(), seed=seed) >> 11) + 0.5) * 2.0**-53
        scores.append(-math.log(uniform) / 0.5)
    return VARIANTS[scores.index(min(scores))]


def moments(numerators, denominators):
    """Gives the sums over units that a ratio of means and its standard error need; all exact integers."""
    return {
        "n": len(numerators),
        "sum_x": sum(numerators),
        "sum_y": sum(denominators),
        "sum_xx": sum(x * x for x in numerators),
        "sum_yy": sum(y * y for y in denominators),
        "sum_xy": sum(x * y for x, y in zip(numerators, denominators)),
    }


def delta_se(sums):
    """Gives the standard error of sum_x / sum_y over n independent units (delta method, n - 1 in the variance)."""
    n, rate = sums["n"], sums["sum_x"] / sums["sum_y"]
    residual = sums["sum_xx"] - 2 * rate * sums["sum_xy"] + rate * rate * sums["sum_yy"]
    return math.sqrt(residual / (n - 1) / n) / (sums["sum_y"] / n)


def order_figures(orders, n_customers):
    """Gives what a report says of these orders, for `n_customers` exposed customers."""
    each = orders.groupby("number").agg(orders=("cents", "size"), cents=("cents", "sum"), units=("units", "sum"))
    n_orders, cents, units = len(orders), int(orders.cents.sum()), int(orders.units.sum())
    absent = [0] * (n_customers - len(each))
    per_customer = {name: each[name].tolist() + absent for name in each.columns}
    aov = moments(per_customer["cents"], per_customer["orders"])
    per_visitor = moments(per_customer["cents"], [1] * n_customers)
    repeat = int((each.orders >= 2).sum())
    return {
        "customers": n_customers,
        "buyers": len(each),
        "orders": n_orders,
        "zero_amount_orders": int((orders.cents == 0).sum()),
        "revenue_cents": cents,
        "units": units,
        "repeat_customers": repeat,
        "conversion": ratio(len(each), n_customers),
        "aov_cents": ratio(cents, n_orders) | {"se": delta_se(aov), "sums": aov},
        "revenue_per_visitor_cents": ratio(cents, n_customers) | {"se": delta_se(per_visitor), "sums": per_visitor},
        "units_per_order": ratio(units, n_orders),
        "repeat_purchase": ratio(repeat, n_customers),
    }


def cdnow_split(orders, salt):
    """Gives the figures of the two variants into which `salt` splits the customers."""
    units = orders.drop_duplicates("number").sort_values("number")
    variants = {unit: variant_of(unit, salt) for unit in units.unit}
    assigned = orders.unit.map(variants)
    result = {"salt": salt, "variants": []}
    for key in VARIANTS:
        own = orders[assigned == key]
        n_customers = sum(variant == key for variant in variants.values())
        figures = {"key": key} | order_figures(own, n_customers)
        within = {str(days): order_figures(own[own.since_first < days], n_customers) for days in WINDOWS_DAYS}
        result["variants"].append(figures | {"within_days_of_first_order": within})
    first, second = (each["revenue_per_visitor_cents"] for each in result["variants"])
    result["revenue_per_visitor_z"] = (second["value"] - first["value"]) / math.hypot(first["se"], second["se"])
    result["first_100_units"] = "".join(variants[unit] for unit in list(units.unit)[:100])
    result["all_units_sha256"] = hashlib.sha256("".join(variants[unit] for unit in units.unit).encode()).hexdigest()
    return result


def cdnow(raw, salts):
    """Gives the section `cdnow` of the vectors."""
    orders = read_cdnow(raw)
    compare_cdnow_extract(orders)
    row = ["customer", "date", "units", "cents"]
    total = order_figures(orders, orders.number.nunique())
    facts = {
        "first_day": str(orders.date.min()),
        "last_day": str(orders.date.max()),
        "last_first_order_day": str(orders.groupby("number").date.min().max()),
        "rows_equal_to_an_earlier_row": int(orders.duplicated(row).sum()),
        "most_orders_of_a_customer": int(orders.groupby("number").size().max()),
    }
    return {"total": total, "facts": facts, "splits": [cdnow_split(orders, salt) for salt in salts]}


def extract_lines(name):
    """Splits an extract into its @ fields and its data lines."""
    lines = [line for line in (HERE / name).read_text("ascii").splitlines() if not line.startswith("#")]
    fields = dict(line[1:].split(" ", 1) for line in lines if line.startswith("@"))
    return fields, [line for line in lines if not line.startswith("@")]


def compare_cdnow_extract(orders):
    """Ends the program unless the compact extract gives back every order in the file's order."""
    _, lines = extract_lines("cdnow.txt")
    found = []
    for number, line in enumerate(lines, start=1):
        day = 0
        for token in line.split(" "):
            days, cents, *units = token.split(":")
            day += int(days)
            found.append((number, day, int(units[0]) if units else 1, int(cents)))
    expected = list(orders[["number", "day", "units", "cents"]].itertuples(index=False, name=None))
    if found != expected:
        sys.exit("cdnow.txt does not give back the raw file")


# --- Open Bandit -----------------------------------------------------------------------------------------------------


def read_obd(raw, policy):
    """Reads one policy's log; the propensity stays text beside its float."""
    columns = ["timestamp", "item_id", "position", "click", "propensity_score"]
    log = pandas.read_csv(raw / OBD_RAW.format(policy=policy), usecols=columns, dtype={"propensity_score": str})
    log["propensity"] = log.propensity_score.map(float)
    since = pandas.to_datetime(log.timestamp) - pandas.Timestamp("2019-11-24T00:00:00Z")
    log["ms"] = since // pandas.Timedelta(milliseconds=1)
    return log


def compare_obd_extract(log, policy):
    """Ends the program unless the compact extract gives back every row, the propensity as the same float."""
    fields, lines = extract_lines(f"obd-women-{policy}.txt")
    found, ms = [], 0
    for line in lines:
        delta, item, position, click, *propensity = line.split(" ")
        ms += int(delta)
        chance = float(propensity[0] if propensity else fields["propensity"])
        found.append((ms, int(item), int(position), int(click), chance))
    expected = list(log[["ms", "item_id", "position", "click", "propensity"]].itertuples(index=False, name=None))
    if found != expected:
        sys.exit(f"obd-women-{policy}.txt does not give back the raw file")


def uniform_value(log):
    """Estimates from this log the click rate of the uniform policy, and says what the log is worth for it."""
    weights = (1 / ITEMS / log.propensity).tolist()
    total, squares = math.fsum(weights), math.fsum(weight * weight for weight in weights)
    gained = math.fsum(weight * click for weight, click in zip(weights, log.click))
    return {
        "ips": gained / len(log),
        "snips": gained / total,
        "effective_sample_size": total * total / squares,
        "largest_weight_share": max(weights) / total,
    }


def round_robin_replay(log):
    """Replays the policy that shows items 0, 1, .. 45, 0, .. in turn and moves on only when the log agrees."""
    accepted, clicks, last_row = 0, 0, None
    for row, (item, click) in enumerate(zip(log.item_id, log.click), start=1):
        if item == accepted % ITEMS:
            accepted, clicks, last_row = accepted + 1, clicks + int(click), row
    return {"accepted": accepted, "clicks": clicks, "last_accepted_row": last_row}


def obd_policy(raw, policy):
    """Gives the figures of one policy's log, by item and in total."""
    log = read_obd(raw, policy)
    compare_obd_extract(log, policy)
    items = []
    for item in range(ITEMS):
        own = log[log.item_id == item]
        clicks = int(own.click.sum())
        items.append({"item": item, "impressions": len(own), "clicks": clicks, "ctr": clicks / len(own)})
    by_position = log.groupby("position").click.agg(["size", "sum"])
    result = {
        "rows": len(log),
        "clicks": int(log.click.sum()),
        "ctr": ratio(log.click.sum(), len(log)),
        "first_timestamp": log.timestamp.min(),
        "last_timestamp": log.timestamp.max(),
        "distinct_propensities": int(log.propensity_score.nunique()),
        "smallest_propensity": log.propensity.min(),
        "largest_propensity": log.propensity.max(),
        "positions": [
            {"position": int(position), "impressions": int(n), "clicks": int(clicks)}
            for position, n, clicks in by_position.itertuples()
        ],
        "uniform_policy": uniform_value(log),
        "items": items,
    }
    if policy == "random":
        expected = len(log) / ITEMS
        result["all_propensities_are_one_over_items"] = bool((log.propensity == 1 / ITEMS).all())
        result["chi_squared_of_item_counts"] = sum((each["impressions"] - expected) ** 2 / expected for each in items)
        result["chi_squared_degrees_of_freedom"] = ITEMS - 1
        result["round_robin_replay"] = round_robin_replay(log)
    return result


def sha256(path):
    """Gives the SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_dir", type=pathlib.Path, help="the folder that fetch.py filled")
    parser.add_argument("--salt", action="append", help="salt of the split; may be repeated; default: cdnow")
    parser.add_argument("--check", action="store_true", help="compare with the committed vectors instead of writing")
    options = parser.parse_args()
    raw_files = [CDNOW_RAW] + [OBD_RAW.format(policy=policy) for policy in POLICIES]
    extracts = ["cdnow.txt"] + [f"obd-women-{policy}.txt" for policy in POLICIES]
    vectors = {
        "made_by": "examples/real-data/reference.py, from the raw files, with pandas and the public xxhash package",
        "raw_sha256": {name: sha256(options.raw_dir / name) for name in raw_files},
        "extract_sha256": {name: sha256(HERE / name) for name in extracts},
        "cdnow": cdnow(options.raw_dir, options.salt or ["cdnow"]),
        "open_bandit": {"campaign": "women", "n_items": ITEMS}
        | {policy: obd_policy(options.raw_dir, policy) for policy in POLICIES},
    }
    text = json.dumps(vectors, indent=1) + "\n"
    if options.check:
        if not VECTORS.exists() or VECTORS.read_text("utf-8") != text:
            sys.exit(f"{VECTORS} differs from what the raw files give")
        print("the vectors equal what the raw files give")
    else:
        VECTORS.parent.mkdir(parents=True, exist_ok=True)
        VECTORS.write_text(text, "utf-8")
        print(f"{VECTORS.name}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
