"""rudder-sdk-python as shops use it: one call of each kind, then so many events of so many bytes.

rudder_python.py URL KEY COUNT BYTES plain|gzip
"""

import sys

from rudderstack.analytics.client import Client

url, key, count, size, encoding = sys.argv[1:]
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
