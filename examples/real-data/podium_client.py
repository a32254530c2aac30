"""Speaks to a running Podium over HTTP as a shop's own code would; standard library only.

Every request and response shape that the scripts beside this file use is here, and nowhere else.
"""

import http.client
import json
import sys
import time
import urllib.parse

MAX_ATTEMPTS = 20
MAX_WAIT_S = 60
BATCH_SIZE = 500
UNITS_IN_BATCH = 1000
SECONDS_BETWEEN_LINES = 3


class Refused(Exception):
    """Says that Podium answered with a status that is not worth another try."""

    def __init__(self, method, path, status, body):
        super().__init__(f"{method} {path}: {status} {body[:2000].decode('utf-8', 'replace')}")
        self.status = status


class Podium:
    """Holds one connection and one key."""

    def __init__(self, url, key, timeout_s=60):
        parts = urllib.parse.urlsplit(url)
        https = parts.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        self.connection = kind(parts.hostname, parts.port or (443 if https else 80), timeout=timeout_s)
        self.prefix = parts.path.rstrip("/")
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.n_waits = 0

    def call(self, method, path, body=None, headers=None):
        """Sends one request until it is answered, and returns (JSON body, headers).

        Waits as long as Retry-After says on 429 and 503. Repeats after a broken connection: every request made
        here may safely be repeated, events by their message id and the rest by their key.
        """
        payload = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        for attempt in range(MAX_ATTEMPTS):
            try:
                self.connection.request(method, self.prefix + path, payload, self.headers | (headers or {}))
                answer = self.connection.getresponse()
                data = answer.read()
            except (http.client.HTTPException, OSError):
                self.connection.close()
                if attempt == MAX_ATTEMPTS - 1:
                    raise
                time.sleep(min(0.1 * 2**attempt, MAX_WAIT_S))
                continue
            if answer.status in (429, 503):
                self.n_waits += 1
                time.sleep(min(float(answer.headers.get("Retry-After", 1)), MAX_WAIT_S))
            elif 200 <= answer.status < 300:
                return (json.loads(data) if data else None), answer.headers
            else:
                raise Refused(method, path, answer.status, data)
        raise Refused(method, path, answer.status, data)

    def start_experiment(self, experiment):
        """Registers `experiment` unless its key is taken, and starts it unless it runs."""
        path = f"/api/v1/experiments/{experiment['key']}"
        try:
            self.call("POST", "/api/v1/experiments", experiment)
        except Refused as refused:
            if refused.status != 409:
                raise
        found, headers = self.call("GET", path)
        if not is_running(found):
            try:
                self.call("POST", f"{path}/start", {}, {"If-Match": headers.get("ETag", "*")})
            except Refused:
                # A start whose answer was lost is refused the second time, and yet it has happened.
                if not is_running(self.call("GET", path)[0]):
                    raise

    def decide(self, flag, units, progress=None):
        """Asks which variant each unit gets, without counting it as an exposure; returns {unit: variant}."""
        variants = {}
        for start in range(0, len(units), UNITS_IN_BATCH):
            body = {"units": units[start : start + UNITS_IN_BATCH], "flags": [flag], "exposure": False}
            answer, _ = self.call("POST", "/api/v1/decide", body)
            variants.update({each["unit"]: each["variant"] for each in answer["decisions"] if each["flag"] == flag})
            if progress:
                progress(len(variants), len(units))
        return variants

    def send(self, events, batch_size=BATCH_SIZE, progress=None):
        """Sends `events` in batches; returns how many were accepted, duplicate and rejected, and up to ten reasons."""
        totals = {"accepted": 0, "duplicate": 0, "rejected": 0, "reasons": []}
        for start in range(0, len(events), batch_size):
            answer, _ = self.call("POST", "/api/v1/events", {"batch": events[start : start + batch_size]})
            rejected = answer.get("rejected") or []
            totals["accepted"] += answer["accepted"]
            totals["duplicate"] += answer.get("duplicate", 0)
            totals["rejected"] += len(rejected)
            totals["reasons"] += rejected[: 10 - len(totals["reasons"])]
            if progress:
                progress(min(start + batch_size, len(events)), len(events))
        return totals

    def report(self, key):
        """Fetches the report of an experiment."""
        return self.call("GET", f"/api/v1/experiments/{key}/report")[0]


class Progress:
    """Says on standard error how far it is: one line kept up to date on a terminal, elsewhere a line now and then."""

    def __init__(self, what):
        self.what = what
        self.is_terminal = sys.stderr.isatty()
        self.said_at = time.monotonic()

    def __call__(self, done, total):
        text = f"{done:,} of {total:,} {self.what}"
        if self.is_terminal:
            print(f"\r{text}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        elif done == total or time.monotonic() - self.said_at >= SECONDS_BETWEEN_LINES:
            self.said_at = time.monotonic()
            print(text, file=sys.stderr, flush=True)


def is_running(experiment):
    """Says whether an experiment, as Podium describes it, is running."""
    return experiment.get("state", experiment.get("status")) == "running"


def goal(metric, window_days):
    """Names a metric in an experiment, with its attribution window."""
    return {"metric": metric, "window_s": window_days * 86_400}


def figures(report):
    """Turns a report into {metric: {variant: {"units", "numerator", "denominator", "value"}}}; money in minor units."""
    return {
        metric["metric"]: {
            each["key"]: {name: each.get(name) for name in ("units", "numerator", "denominator", "value")}
            for each in metric["variants"]
        }
        for metric in report["metrics"]
    }


def print_report(report):
    """Prints every figure of a report, one line for each metric and variant, then its sentence."""
    for metric, variants in figures(report).items():
        for variant, each in variants.items():
            fraction = f"{each['numerator']} / {each['denominator']}"
            print(f"{metric:24} {variant:10} units {each['units']:>8}  {fraction:>24} = {each['value']}")
    verdict = report.get("sentence") or report.get("verdict")
    if verdict:
        print(verdict if isinstance(verdict, str) else json.dumps(verdict))


# --- events, in the Segment vocabulary -------------------------------------------------------------------------------


def experiment_viewed(unit, experiment, variant, at, propensity=None):
    """Says that `unit` was shown `variant`; repeats itself with the same message id."""
    properties = {"experiment_id": experiment, "variation_id": variant}
    if propensity is not None:
        properties["propensity"] = propensity
    return track(unit, "Experiment Viewed", f"{experiment}/{unit}/viewed", at, properties)


def order_completed(unit, order_id, cents, n_units, at, currency="USD"):
    """Says that `unit` bought `n_units` things for `cents`."""
    properties = {"order_id": order_id, "revenue": major(cents), "currency": currency}
    properties["products"] = [{"product_id": "cd", "quantity": n_units}]
    return track(unit, "Order Completed", f"{order_id}/completed", at, properties)


def order_refunded(unit, order_id, cents, at, currency="USD"):
    """Says that `cents` of an order were given back; all of it if `cents` is None."""
    properties = {"order_id": order_id, "currency": currency}
    if cents is not None:
        properties["total"] = major(cents)
    return track(unit, "Order Refunded", f"{order_id}/refunded", at, properties)


def product_clicked(unit, product, position, at):
    """Says that `unit` clicked on the product that it was shown."""
    properties = {"product_id": product, "position": position}
    return track(unit, "Product Clicked", f"{unit}/clicked", at, properties)


def page(unit, message_id, path, at):
    """Says that `unit` opened a page."""
    properties = {"path": path, "url": f"https://shop.example{path}"}
    return {"type": "page", "messageId": message_id, "userId": unit, "timestamp": at, "properties": properties}


def track(unit, event, message_id, at, properties):
    """Builds one event; `at` is RFC 3339 in UTC. No `sentAt`: the time is history's, not a wrong clock's."""
    return {
        "type": "track",
        "event": event,
        "messageId": message_id,
        "userId": unit,
        "timestamp": at,
        "properties": properties,
    }


def rfc3339(moment):
    """Writes a moment in UTC to the millisecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def major(cents):
    """Writes cents as a decimal string in major units, so that no float touches money."""
    return f"{cents // 100}.{cents % 100:02}"
