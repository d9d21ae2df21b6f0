"""Card payments of the Fraud Detection Handbook, declared: what a decision may know, the model, and the book's features.

    weigh ingest examples/handbook_cards.py transactions.parquet
    weigh run examples/handbook_cards.py

The book delays a label by seven days: here it arrives that long after its event. TX_FRAUD_SCENARIO is not in the
contract: it is the label by another name.
"""

from weighbridge.declare import (
    Contract,
    Costs,
    Id,
    Key,
    Label,
    Money,
    Policy,
    Time,
    Training,
    UseCase,
    is_between_hours,
    is_weekend,
    lightgbm,
    ratio,
    value,
)

payment = Contract(
    "payment",
    [
        Id("transaction_id", column="TRANSACTION_ID"),
        Time("event_ts", column="TX_DATETIME"),
        Key("customer_id", column="CUSTOMER_ID"),
        Key("terminal_id", column="TERMINAL_ID"),
        Money("amount", column="TX_AMOUNT", at_least=0, at_most=5_000),
    ],
)
card, terminal = payment.by("customer_id"), payment.by("terminal_id")

# The book's fifteen. Its windows of the card include the payment itself, ours end before it, so with c and s as below
# its count is c + 1 and its mean (s + amount) / (c + 1). Its terminal risk is positive / count, 0 where count is 0.
published = (
    value("amount"),
    is_weekend(),
    is_between_hours(start=0, end=7),
    card.count(last="1d"),
    card.sum("amount", last="1d"),
    card.count(last="7d"),
    card.sum("amount", last="7d"),
    card.count(last="30d"),
    card.sum("amount", last="30d"),
    terminal.count(last="8d", until="7d"),
    terminal.label_count(last="8d", until="7d", of="positive"),
    terminal.count(last="14d", until="7d"),
    terminal.label_count(last="14d", until="7d", of="positive"),
    terminal.count(last="37d", until="7d"),
    terminal.label_count(last="37d", until="7d", of="positive"),
)

windows = ["1d", "7d", "14d", "30d", "60d", "90d"]
features = [
    value("amount"),
    card.count(last=windows),
    card.mean("amount", last=windows),
    [ratio("amount", card.quantile("amount", 0.5, last=w)) for w in ("30d", "60d", "90d")],
    [ratio("amount", card.quantile("amount", 0.9, last=w)) for w in ("30d", "60d", "90d")],
    terminal.label_streak(last="90d"),
    terminal.label_streak(last="90d", of="age"),
    terminal.label_rate(last=["14d", "21d", "28d", "35d"]),
]

case = UseCase(
    name="handbook_cards",
    events=payment,
    features=features,
    label=Label("fraud", column="TX_FRAUD", matures="7d", arrives="7d"),
    models=[lightgbm()],
    policy=Policy(costs=Costs(amount="amount", wrong_decline=10, review=3)),
    training=Training(metric="average_precision", history="84d", validation="7d"),
)
