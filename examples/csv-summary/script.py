"""Summarises a CSV file with pandas: prints a table and leaves it as CSV and JSON."""

import json
import os
from pathlib import Path

import pandas as pd

inputs = Path(os.environ["INPUT_DIR"])
request = json.loads((inputs / "request.json").read_text())
column = request["column"]

readings = pd.read_csv(inputs / "readings.csv", parse_dates=["date"])
print(f"{len(readings)} readings of {readings['station'].nunique()} stations, "
      f"{readings['date'].min():%Y-%m-%d} to {readings['date'].max():%Y-%m-%d}")

missing = int(readings[column].isna().sum())
if missing:
    print(f"{missing} without a value for {column} are left out")

summary = readings.groupby("station")[column].agg(["count", "min", "mean", "max"]).round(2)
print()
print(summary.to_string())

summary.to_csv("summary.csv")
summary.to_json("summary.json", orient="index", indent=2)
