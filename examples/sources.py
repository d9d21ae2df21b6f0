"""Card fraud with its sources declared: `weigh ingest examples/sources.py` fetches them and takes in what is new."""

from dataclasses import replace

from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.declare import Feed

case = replace(
    card_fraud,
    sources=[
        Feed("payments", "raw/card_fraud_events.csv", columns={"arrived": "arrived"}, fresh="1d"),
        Feed("outcomes", "raw/card_fraud_labels.csv", of="labels", fresh="14d"),
    ],
)
