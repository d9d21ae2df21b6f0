"""Stream fraud: score the transactions of a stream under a data contract; truth comes later, as its own stream."""

from weighbridge.declare import (
    Category,
    Contract,
    Costs,
    Expect,
    Gate,
    Guardrails,
    Id,
    Key,
    Label,
    Money,
    Objectives,
    Pattern,
    Policy,
    Retrain,
    Rollout,
    Rule,
    Simulation,
    Time,
    Training,
    UseCase,
    Validation,
    Watch,
    between,
    choice,
    day_of_week,
    difference,
    encode,
    fresh,
    hour_of_day,
    is_round,
    is_weekend,
    lightgbm,
    log,
    logistic,
    random_forest,
    ratio,
    standard_stages,
    times,
    xgboost,
    zscore,
)

transaction = Contract(
    "transaction",
    [
        Id("event_id", ulid=True, description="names the transaction; a retry repeats it"),
        Key("user_id", pattern="user-[0-9]+", pii="pseudonymised", description="who pays"),
        Money("transaction_amount", at_least=0, at_most=5_000, unit="USD", description="what is paid"),
        Category(
            "country", one_of=["US", "CA", "GB", "DE", "FR", "IN", "BR"], description="where it is paid, ISO 3166"
        ),
        Category("device", one_of=["ios", "android", "web"], description="what it is paid with"),
        Time("event_ts", future="1min", late="10min", description="when it is paid"),
    ],
)
user = transaction.by("user_id")

features = [
    user.count(last=["1min", "1h", "24h", "7d", "30d"]),
    user.sum("transaction_amount", last="24h"),
    user.mean("transaction_amount", last=["24h", "30d"]),
    user.std("transaction_amount", last="30d"),
    user.max("transaction_amount", last="7d"),
    user.distinct("country", last="24h"),
    user.distinct("device", last="7d"),
    user.since_last(within="30d"),
    user.seen_before("country", last="30d"),
    user.seen_before("device", last="30d"),
    user.label_count(last="30d", of="positive"),
    ratio("transaction_amount", user.quantile("transaction_amount", 0.5, last="30d")),
    difference("transaction_amount", user.max("transaction_amount", last="30d")),
    zscore(
        "transaction_amount",
        user.mean("transaction_amount", last="30d"),
        user.std("transaction_amount", last="30d"),
    ),
    hour_of_day(),
    day_of_week(),
    is_weekend(),
    log("transaction_amount"),
    is_round("transaction_amount"),
    encode("country", how="one_hot"),
    encode("device", how="one_hot"),
]

patterns = [
    Pattern("account takeover", at="user_id", share=0.45, events=(2, 6), gap="10min",
            changes=[fresh("device"), fresh("country"), times("transaction_amount", 1.5, 5)]),
    Pattern("velocity", at="user_id", share=0.35, events=(6, 14), gap="30s",
            changes=[between("transaction_amount", 0.5, 5)]),
    Pattern("high amount", at="user_id", share=0.2, changes=[times("transaction_amount", 6, 15)]),
    Pattern("gift cards", at="user_id", share=2.0, events=(1, 3), gap="1h", starts=0.8,
            changes=[choice("transaction_amount", [25, 50, 75, 100]), fresh("device")]),
]  # fmt: skip

case = UseCase(
    name="stream_fraud",
    events=transaction,
    features=features,
    label=Label("label", matures="7d"),
    models=[logistic(), random_forest(), xgboost(), lightgbm()],
    policy=Policy(
        costs=Costs(amount="transaction_amount", wrong_decline=15, review=2),
        review_capacity_per_day=25,
        rules=[
            Rule("velocity", when="user_count_1min >= 5", at_least="review", reason="many transactions in a minute"),
        ],
    ),
    training=Training(metric="roc_auc", history="45d", validation="8d"),
    retrain=Retrain(every="1h", cooldown="1h"),
    rollout=Rollout(guardrails=Guardrails(errors=0.01, slow="100ms")),
    watch=Watch(critical=0.30),
    validation=Validation(
        expect=[
            Expect("fraud rate", "0.002 <= positive_share <= 0.05"),
            Expect("timestamps in order", "ordered_share >= 0.9"),
            Expect("something is paid", "transaction_amount > 0", at_least=0.99, severity="warn"),
            Expect("an hour of the day", "0 <= hour_of_day and hour_of_day <= 23"),
        ],
    ),
    gates=[
        Gate("parity_mismatches", at_most=0),
        Gate("leakiest_feature_auc", at_most=0.995),
        Gate("roc_auc", no_worse_by=0, against="staging"),
        Gate("feature_psi", at_most=0.30, last="7d"),
        Gate("canary_errors", at_most=0.01),
        Gate("latency_us_p95", at_most=100_000),
        Gate("objectives_missed", at_most=0),
    ],
    objectives=Objectives(latency="200ms", availability=0.995, feature_lag="2min"),
    stages=standard_stages(training="0 * * * *"),
    simulate=Simulation(
        actor="user_id", actors=1_200, amount="transaction_amount", names={"user_id": "user-{}"}, patterns=patterns
    ),
)  # fmt: skip
