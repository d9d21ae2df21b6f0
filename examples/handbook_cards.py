"""Card payments of the Fraud Detection Handbook: what a decision may know of them, and the book's own features.

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
    below,
    difference,
    is_between_hours,
    is_weekend,
    lightgbm,
    logistic,
    random_forest,
    ratio,
    value,
    xgboost,
    zscore,
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

# The book's models of them: its parameters, of XGBoost the defaults of version 1.
published_models = (
    logistic(C=1.0, imbalance="none"),
    random_forest(n_estimators=100, min_samples_leaf=1, max_depth=1_000, max_samples=1.0, imbalance="none"),
    xgboost(
        n_estimators=100,
        learning_rate=0.3,
        max_depth=6,
        min_child_weight=1.0,
        reg_lambda=1.0,
        subsample=1.0,
        colsample_bytree=1.0,
        tree_method="exact",
        imbalance="none",
    ),
)

median = {days: card.quantile("amount", 0.5, last=days) for days in ("30d", "60d", "90d")}
upper = {days: card.quantile("amount", 0.75, last=days) for days in ("30d", "60d", "90d")}
lower = {days: card.quantile("amount", 0.25, last=days) for days in ("60d", "90d")}

features = [
    value("amount"),
    # the payment against what the card usually pays
    *(ratio("amount", usual) for usual in (*median.values(), *upper.values())),
    *(ratio("amount", card.quantile("amount", 0.9, last=days)) for days in ("60d", "90d")),
    *(difference("amount", usual) for usual in median.values()),
    *(
        zscore("amount", median[days], difference(upper[days], lower[days]), name=f"amount_robust_zscore_{days}")
        for days in lower
    ),
    # what the card paid lately against what it usually pays
    *(
        ratio(recent, usual)
        for usual in (median["60d"], median["90d"])
        for recent in (
            card.max("amount", last="3d"),
            card.max("amount", last="7d"),
            card.max("amount", last="14d"),
            card.quantile("amount", 0.9, last="7d"),
            card.std("amount", last="7d"),
            card.std("amount", last="14d"),
        )
    ),
    # the terminal's known frauds; below a bound, for the large ones say more about the card
    terminal.label_streak(last="90d"),
    terminal.label_streak(last="90d", of="age"),
    *(
        terminal.label_streak(last="90d", of=measure, where=below("amount", bound))
        for bound in (25, 40, 80, 100, 150, 220)
        for measure in ("length", "age")
    ),
    *(terminal.label_rate(last=["14d", "28d"], where=below("amount", bound)) for bound in (25, 150, 220)),
    terminal.label_rate(last=["9d", "10d", "14d", "28d", "42d", "60d", "90d"]),
]

case = UseCase(
    name="handbook_cards",
    events=payment,
    features=features,
    label=Label("fraud", column="TX_FRAUD", matures="7d", arrives="7d"),
    models=[
        lightgbm(
            imbalance="downsample",
            n_estimators=300,
            learning_rate=0.03,
            min_child_samples=100,
            reg_lambda=20.0,
            colsample_bytree=0.3,
            subsample_freq=0,
        ),
    ],
    policy=Policy(costs=Costs(amount="amount", wrong_decline=10, review=3)),
    training=Training(metric="average_precision", history="84d", validation="7d"),
)
