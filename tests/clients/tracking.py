"""segment-analytics-python or rudder-sdk-python, which is called alike, as shops use it: one call of each kind, then so
many events of so many bytes.

tracking.py URL KEY COUNT BYTES plain|gzip segment|rudderstack
"""

import importlib
import sys

url, key, count, size, encoding, package = sys.argv[1:]
Client = importlib.import_module(f"{package}.analytics.client").Client
faults = []
client = Client(key, host=url, gzip=encoding == "gzip", on_error=lambda fault, events: faults.append(fault))
client.identify("known", traits={"plan": "gold"}, anonymous_id="visitor")
client.page("known", name="Home", properties={"url": "https://shop.example/"})
client.screen("known", name="Start")
client.group("known", "team", traits={"seats": 3})
client.alias("visitor", "known")
for number in range(int(count)):
    properties = {"order_id": number, "revenue": 89.9, "currency": "USD", "note": "x" * int(size)}
    client.track(f"shopper-{number}", "Order Completed", properties)
client.shutdown()
if faults:
    sys.exit(f"not delivered: {faults}")
