#!/usr/bin/env python3
"""Sends a made-up shop's log to a running Podium and compares the report with exact integers.

    python3 synthetic.py --url http://localhost:8080 --key podium_adm_... --customers 30000 --batch-size 1

Three variants were assigned elsewhere, in unequal shares. The log has what real ones have: repeated visits, events
sent twice, orders reported by browser and server under one order id, orders of zero, orders before the first exposure,
orders after the window, orders of people who were never in the experiment and, with --refunds, refunds. It is sent in a
random order. Counts must be equal, and rates, average order value and revenue per visitor equal to 1e-9 relative.
Exit status 1 names every figure that is not.
"""

import argparse
import datetime
import json
import pathlib
import random
import sys

from podium_client import (
    BATCH_SIZE,
    Podium,
    Progress,
    experiment_viewed,
    figures,
    goal,
    order_completed,
    order_refunded,
    page,
    rfc3339,
)

# Share of customers, chance that a customer buys at all, and the median order in cents.
VARIANTS = {"control": (0.5, 0.050, 4_200), "b": (0.3, 0.056, 4_350), "c": (0.2, 0.047, 5_100)}
WINDOW_DAYS = 14
TOLERANCE = 1e-9
P_NEVER_EXPOSED = 0.03
P_EARLY_ORDER = 0.01
P_LATE_ORDER = 0.01
P_ZERO_ORDER = 0.01
P_REPORTED_TWICE = 0.05
P_REFUNDED = 0.15
DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)


class Shop:
    """Makes the log and keeps, beside it, what a correct report says."""

    def __init__(self, experiment, options):
        self.experiment = experiment
        self.random = random.Random(options.seed)
        self.refunds = options.refunds
        self.start = options.start
        self.events = []
        self.n_orders = 0
        self.expected = {key: {"units": 0, "buyers": 0, "orders": 0, "gross": 0, "net": 0} for key in VARIANTS}

    def moment(self, after, days):
        """Draws a moment at most `days` after `after`, to the millisecond."""
        return after + datetime.timedelta(milliseconds=self.random.randint(1, int(days * 86_400_000)))

    def amount(self, variant):
        """Draws an order's cents: mostly log-normal, sometimes nothing."""
        if self.random.random() < P_ZERO_ORDER:
            return 0
        return round(VARIANTS[variant][2] * self.random.lognormvariate(0, 0.9))

    def order(self, unit, variant, at):
        """Logs an order, perhaps twice, perhaps refunded; returns its cents before and after refunds."""
        self.n_orders += 1
        order_id, cents = f"{self.experiment}-o{self.n_orders}", self.amount(variant)
        event = order_completed(unit, order_id, cents, self.random.randint(1, 5), rfc3339(at))
        if self.random.random() < 0.5:
            # Half of the clients write a number; its shortest text has the same digits as the decimal.
            event["properties"]["revenue"] = float(event["properties"]["revenue"])
        self.events.append(event)
        if self.random.random() < P_REPORTED_TWICE:
            # The same order again from another sender, later and with another amount: the earliest one counts.
            again = order_completed(unit, order_id, cents + 100, 1, rfc3339(self.moment(at, 0.01)))
            self.events.append(again | {"messageId": f"{order_id}/completed-by-browser"})
        kept = cents
        if self.refunds and cents > 0 and self.random.random() < P_REFUNDED:
            back = self.random.choice((None, self.random.randint(1, cents)))
            # Refunds may come after the window has closed: they still belong to their order.
            self.events.append(order_refunded(unit, order_id, back, rfc3339(self.moment(at, 2 * WINDOW_DAYS))))
            kept = 0 if back is None else cents - back
        return cents, kept

    def visits(self, unit, variant):
        """Logs one to three visits that show the variant and returns the first one's moment."""
        moments = sorted(self.moment(self.start, 7) for _ in range(self.random.randint(1, 3)))
        for n, at in enumerate(moments):
            self.events.append(page(unit, f"{unit}/page-{n}", "/", rfc3339(at)))
            viewed = experiment_viewed(unit, self.experiment, variant, rfc3339(at))
            self.events.append(viewed | {"messageId": f"{self.experiment}/{unit}/viewed-{n}"})
        return moments[0]

    def customer(self, number):
        """Logs everything that one customer did."""
        unit = f"{self.experiment}-c{number}"
        if self.random.random() < P_NEVER_EXPOSED:
            self.order(unit, "control", self.moment(self.start, 7))
            return
        variant = self.random.choices(list(VARIANTS), [share for share, _, _ in VARIANTS.values()])[0]
        seen, expected = self.visits(unit, variant), self.expected[variant]
        expected["units"] += 1
        if self.random.random() < P_EARLY_ORDER:
            self.order(unit, variant, seen - self.random.randint(1, 72) * HOUR)
        if self.random.random() < P_LATE_ORDER:
            self.order(unit, variant, seen + WINDOW_DAYS * DAY + self.random.randint(1, 72) * HOUR)
        if self.random.random() < VARIANTS[variant][1]:
            expected["buyers"] += 1
            for _ in range(self.random.choice((1, 1, 1, 2, 2, 5))):
                gross, net = self.order(unit, variant, self.moment(seen, WINDOW_DAYS - 1))
                expected["orders"] += 1
                expected["gross"] += gross
                expected["net"] += net

    def fractions(self):
        """Gives {metric: {variant: (numerator, denominator)}}, all integers."""
        parts = {
            "revenue_per_visitor": ("gross", "units"),
            "net_revenue": ("net", "units"),
            "aov": ("net", "orders"),
            "conversion": ("buyers", "units"),
        }
        return {
            metric: {key: (each[top], each[bottom]) for key, each in self.expected.items()}
            for metric, (top, bottom) in parts.items()
        }


def experiment_body(key):
    """Describes the experiment: assignment made elsewhere, exposure by event."""
    return {
        "key": key,
        "variants": [{"key": variant} | ({"control": True} if variant == "control" else {}) for variant in VARIANTS],
        "primary_metric": goal("revenue_per_visitor", WINDOW_DAYS),
        "secondary_metrics": [goal(metric, WINDOW_DAYS) for metric in ("aov", "conversion", "net_revenue")],
        "allocator": {"type": "fixed"},
        "exposure": "event",
    }


def differences(found, shop):
    """Names every figure of the report that is not the expected one."""
    wrong = []
    for metric, variants in shop.fractions().items():
        for key, (numerator, denominator) in variants.items():
            each = found.get(metric, {}).get(key)
            if each is None:
                wrong.append(f"{metric} {key}: not in the report")
                continue
            exact = {"units": shop.expected[key]["units"], "numerator": numerator, "denominator": denominator}
            for name, value in exact.items():
                if each[name] is not None and each[name] != value:
                    wrong.append(f"{metric} {key} {name}: {each[name]}, expected {value}")
            value = numerator / denominator
            if each["value"] is None or abs(each["value"] - value) > TOLERANCE * abs(value):
                wrong.append(f"{metric} {key} value: {each['value']}, expected {value}")
    return wrong


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url")
    parser.add_argument("--key", help="an API key that may register experiments and send events")
    parser.add_argument("--customers", type=int, default=30_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--experiment", help="experiment key; default: synthetic-SEED")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--duplicates", type=float, default=0.2, help="share of the events that are sent twice")
    parser.add_argument("--order", choices=("random", "time", "reverse"), default="random")
    parser.add_argument("--refunds", action="store_true")
    parser.add_argument("--start", type=datetime.datetime.fromisoformat, help="first visit; default: 60 days ago")
    parser.add_argument("--dump", type=pathlib.Path, help="also write the events as sent, one a line, and the figures")
    options = parser.parse_args()
    if not options.dump and not (options.url and options.key):
        parser.error("give --url and --key, or --dump")
    today = datetime.datetime.now(datetime.timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    options.start = options.start or today - 60 * DAY
    shop = Shop(options.experiment or f"synthetic-{options.seed}", options)
    for number in range(options.customers):
        shop.customer(number)
    events = shop.events + shop.random.sample(shop.events, round(options.duplicates * len(shop.events)))
    shop.random.shuffle(events)
    if options.order != "random":
        events.sort(key=lambda event: event["timestamp"], reverse=options.order == "reverse")
    if options.dump:
        options.dump.write_text("".join(json.dumps(event) + "\n" for event in events))
        options.dump.with_suffix(".expected.json").write_text(json.dumps(shop.fractions(), indent=1) + "\n")
    return compare(shop, events, options) if options.url else 0


def compare(shop, events, options):
    """Sends the log, fetches the report and returns the exit status."""
    podium = Podium(options.url, options.key)
    podium.start_experiment(experiment_body(shop.experiment))
    totals = podium.send(events, options.batch_size, Progress("events"))
    print(f"{len(events)} events sent, {len(shop.events)} of them different; {podium.n_waits} waits")
    print(f"accepted {totals['accepted']}, duplicate {totals['duplicate']}, rejected {totals['rejected']}")
    wrong = [f"rejected: {reason}" for reason in totals["reasons"]]
    wrong += differences(figures(podium.report(shop.experiment)), shop)
    for metric, variants in shop.fractions().items():
        for key, (numerator, denominator) in variants.items():
            print(f"{metric:20} {key:8} {numerator:>12} / {denominator:<8} = {numerator / denominator!r}")
    print("\n".join(wrong) if wrong else f"every figure is equal (values to {TOLERANCE} relative)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
