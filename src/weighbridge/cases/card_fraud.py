"""Card fraud: score a card payment from what had arrived about its card and its merchant."""

from weighbridge.declare import (
    Category,
    Contract,
    Costs,
    Id,
    Key,
    Label,
    ListOf,
    Money,
    Pattern,
    Policy,
    Reasons,
    Rule,
    Says,
    Simulation,
    Time,
    Training,
    UseCase,
    anywhere,
    between,
    choice,
    day_of_week,
    encode,
    fresh,
    hour_of_day,
    is_business_hours,
    is_round,
    is_weekend,
    lightgbm,
    log,
    logistic,
    random_forest,
    ratio,
    standard_gates,
    standard_stages,
    times,
    xgboost,
    zscore,
)

payment = Contract(
    "payment",
    [
        Id("event_id", ulid=True),
        Time("event_ts", future="1min", late="10min"),  # beyond: refused, with a reason
        Key("card_id", pii="pseudonymised"),
        Key("merchant_id"),
        Money("amount", at_least=0, at_most=5_000),
        Category("country", one_of=["US", "CA", "GB", "DE", "FR", "IN", "BR"]),
        Category("device", one_of=["ios", "android", "web"]),
        Category("merchant_category", one_of=["grocery", "fuel", "travel", "electronics", "gaming", "dining", "other"]),
    ],
)
card, merchant = payment.by("card_id"), payment.by("merchant_id")

features = [
    card.count(last=["1h", "24h", "7d", "30d"]),
    card.mean("amount", last=["24h", "30d"]),
    card.std("amount", last="30d"),
    card.max("amount", last="7d"),
    card.distinct("merchant_id", last="24h"),
    card.since_last(within="30d"),
    card.seen_before("device", last="30d"),
    card.seen_before("country", last="30d"),
    card.seen_before("merchant_id", last="30d"),
    ratio("amount", card.quantile("amount", 0.5, last="30d")),
    merchant.count(last=["1h", "24h"]),
    merchant.mean("amount", last="24h"),
    merchant.label_rate(last="28d"),
    merchant.label_count(last="7d", of="positive"),
    merchant.label_streak(last="90d"),
    zscore("amount", card.mean("amount", last="30d"), card.std("amount", last="30d")),
    hour_of_day(),
    day_of_week(),
    is_weekend(),
    is_business_hours(),
    log("amount"),
    is_round("amount"),
    encode("country", how="one_hot"),
    encode("device", how="one_hot"),
    encode("merchant_category", how="target"),
]

patterns = [
    Pattern("stolen card", at="card_id", share=0.3, events=(3, 8), gap="4min",
            changes=[times("amount", 1.5, 4), anywhere("merchant_id")]),
    Pattern("compromised merchant", at="merchant_id", share=0.25, spreads="6d", taints=0.4),
    Pattern("account takeover", at="card_id", share=0.2, events=(2, 5), gap="20min",
            changes=[fresh("device"), fresh("country"), times("amount", 1.2, 3)]),
    Pattern("high amount", at="card_id", share=0.1, changes=[times("amount", 6, 15), anywhere("merchant_id")]),
    Pattern("card testing", at="card_id", share=0.15, events=(6, 14), gap="40s",
            changes=[between("amount", 0.5, 3), anywhere("merchant_id")]),
    Pattern("gift cards", at="card_id", share=2.0, events=(1, 2), gap="2h", starts=0.8,
            changes=[choice("amount", [25, 50, 75, 100]), fresh("merchant_id")]),
]  # fmt: skip

rules = [
    Rule("blocked_card", when="card_id in blocked_cards", action="decline", reason="this card was blocked by hand"),
    Rule("card_testing", when="card_count_1h >= 4 and amount < 5", at_least="review",
         reason="many small payments within an hour"),
    Rule("new_country", when="amount > 200 and card_country_seen_before_30d == 0", at_least="review",
         reason="a high amount from a country that is new for this card"),
]  # fmt: skip

case = UseCase(
    name="card_fraud",
    events=payment,
    features=features,
    label=Label("is_fraud", matures="7d"),
    models=[logistic(), random_forest(), xgboost(), lightgbm()],
    policy=Policy(
        costs=Costs(amount="amount", wrong_decline=15, review=2),
        review_capacity_per_day=25,
        rules=rules,
        lists=[ListOf("blocked_cards", field="card_id")],
    ),
    reasons=Reasons(
        says={
            "amount_zscore_card_amount_mean_30d": "amount is {size:.1f} deviations {side} this card's usual",
            "card_country_seen_before_30d": Says(
                "this card was used from this country in the last 30 days",
                zero="first payment of this card from this country within 30 days",
            ),
            "card_device_seen_before_30d": Says(
                "this card was used on this kind of device in the last 30 days",
                zero="first payment of this card on this kind of device within 30 days",
            ),
            "card_merchant_id_seen_before_30d": Says(
                "this card paid at this merchant in the last 30 days",
                zero="first payment of this card at this merchant within 30 days",
            ),
            "card_merchant_id_distinct_1d": Says(
                "this card paid at {value} different merchants in the last 24 hours",
                zero="this card paid nowhere in the last 24 hours",
            ),
        }
    ),
    training=Training(metric="average_precision", history="45d", validation="8d"),
    gates=standard_gates("average_precision"),
    stages=standard_stages(),
    simulate=Simulation(
        actor="card_id",
        actors=1_200,
        places=400,
        amount="amount",
        place_fields=["merchant_category"],
        patterns=patterns,
    ),
)
