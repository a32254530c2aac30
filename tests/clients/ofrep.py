"""What a Python server gets through openfeature-provider-ofrep: values of all types, reasons, errors, and the pause
after too many requests.

    ofrep.py URL KEY            against the flags of tests/it/clients_ofrep.rs
    ofrep.py URL KEY limited    against a server that allows one evaluation a second
"""

import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import Reason

url, key = sys.argv[1:3]
headers = {"Authorization": f"Bearer {key}"}
provider = OFREPProvider(url, headers_factory=lambda: headers)
requests = []
provider.session.hooks["response"].append(lambda response, **_: requests.append(response.status_code))
api.set_provider(provider)
client = api.get_client()
ann = EvaluationContext("ann", {"shop.country": "NL"})


def same(found, wanted, what):
    assert found == wanted and type(found) is type(wanted), f"{what}: {found!r} is not {wanted!r}"


def types():
    cases = [
        ("boolean", client.get_boolean_details, False, True),
        ("text", client.get_string_details, "", "Free returns"),
        ("integer", client.get_integer_details, 0, 7),
        ("float", client.get_float_details, 0.0, 8.0),
        ("object", client.get_object_details, {}, {"layout": "wide", "columns": [1, 2.5]}),
    ]
    for flag, details_of, default, value in cases:
        details = details_of(flag, default, ann)
        same(details.error_code, None, f"{flag}: {details.error_message}")
        same(details.value, value, flag)
        same(details.reason, Reason.SPLIT, flag)
        assert details.variant in ("control", "other"), details
        metadata = details.flag_metadata
        same(metadata["experimentId"], flag, flag)
        same(metadata["version"], 1, flag)
        same(metadata["propensity"], 0.5, flag)
        same(metadata["degraded"], False, flag)
        again = details_of(flag, default, EvaluationContext("ann", {"podium_sticky": metadata["sticky"]}))
        same(again.variant, details.variant, flag)


def states():
    draft = client.get_string_details("draft", "", ann)
    same((draft.value, draft.variant, draft.reason), ("a draft", "control", Reason.DISABLED), "draft")
    concluded = client.get_string_details("concluded", "", ann)
    same((concluded.value, concluded.reason), ("the winner", Reason.STATIC), "concluded")


def errors():
    def check(details, value, code):
        same((details.value, details.error_code, details.reason), (value, code, Reason.ERROR), details)
        assert details.error_message, details

    check(client.get_string_details("nobody-knows", "mine", ann), "mine", ErrorCode.FLAG_NOT_FOUND)
    check(client.get_boolean_details("text", True, ann), True, ErrorCode.TYPE_MISMATCH)
    check(client.get_integer_details("float", 1, ann), 1, ErrorCode.TYPE_MISMATCH)
    check(client.get_float_details("integer", 1.5, ann), 1.5, ErrorCode.TYPE_MISMATCH)
    check(client.get_string_details("text", "mine"), "mine", ErrorCode.TARGETING_KEY_MISSING)
    headers["Authorization"] = "Bearer nobody"
    check(client.get_string_details("text", "mine", ann), "mine", ErrorCode.GENERAL)


def limited():
    refused = None
    for _ in range(30):
        details = client.get_string_details("text", "mine", ann)
        if details.error_code:
            refused = details
            break
    assert refused, "thirty requests are too many"
    same(requests[-1], 429, "the last answer")
    assert "Rate limited, retry after" in refused.error_message, refused
    before = len(requests)
    for _ in range(5):
        details = client.get_string_details("text", "mine", ann)
        same((details.value, details.error_code), ("mine", ErrorCode.GENERAL), details)
        assert "paused" in details.error_message, details
    same(len(requests), before, "requests while it is paused")


for promise in [limited] if "limited" in sys.argv else [types, states, errors]:
    promise()
print(f"{len(requests)} requests")
