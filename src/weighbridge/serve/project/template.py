"""The declaration that a new project begins with when there is no file to guess from: payments, simulated."""

PAYMENTS = '''"""{name}: score a payment from what had arrived about its card and its shop."""

from weighbridge.declare import (
    Category,
    Contract,
    Costs,
    Gate,
    Id,
    Key,
    Label,
    ListOf,
    Money,
    Pattern,
    Policy,
    Rule,
    Simulation,
    Time,
    Training,
    UseCase,
    anywhere,
    day_of_week,
    encode,
    fresh,
    hour_of_day,
    lightgbm,
    log,
    logistic,
    ratio,
    standard_stages,
    times,
)

# What one event looks like. What breaks the contract is refused, with field, rule and value.
payment = Contract(
    "payment",
    [
        Id("payment_id"),
        Time("paid_at", future="1min", late="1d"),
        Key("card_id", pii="pseudonymised"),
        Key("shop_id"),
        Money("amount", at_least=0, at_most=10_000),
        Category("device", one_of=["ios", "android", "web"]),
    ],
)
card, shop = payment.by("card_id"), payment.by("shop_id")

# What a model sees: exact windows over what had arrived before the event, and the event's own values.
features = [
    card.count(last=["1h", "1d", "7d"]),
    card.mean("amount", last="7d"),
    card.distinct("shop_id", last="1d"),
    card.seen_before("device", last="30d"),
    ratio("amount", card.mean("amount", last="30d")),
    shop.count(last="1d"),
    shop.label_rate(last="28d"),
    hour_of_day(),
    day_of_week(),
    log("amount"),
    encode("device", how="one_hot"),
]

case = UseCase(
    name="{name}",
    events=payment,
    features=features,
    label=Label("is_fraud", matures="7d"),
    models=[logistic(), lightgbm(n_estimators=60)],
    policy=Policy(
        costs=Costs(amount="amount", wrong_decline=15, review=2),
        review_capacity_per_day=20,
        rules=[Rule("blocked_card", when="card_id in blocked_cards", action="decline")],
        lists=[ListOf("blocked_cards", field="card_id")],
    ),
    training=Training(validation="10d", bootstraps=50),
    gates=[Gate("parity_mismatches", at_most=0), Gate("leakiest_feature_auc", at_most=0.995)],
    stages=standard_stages(),
    # A world to try it on. With data of your own, take this out: `weigh ingest {name}.py FILE`.
    simulate=Simulation(
        actor="card_id",
        actors=300,
        places=60,
        amount="amount",
        days=60,
        events=12_000,
        rate=0.02,
        patterns=[
            Pattern("stolen card", at="card_id", share=0.7, events=(2, 6), gap="5min",
                    changes=[times("amount", 2, 6), anywhere("shop_id")]),
            Pattern("new device", at="card_id", share=0.3, changes=[fresh("device"), times("amount", 2, 4)]),
        ],
    ),
)
'''
