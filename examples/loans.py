"""Credit default: will a loan default? Real-world shape, two clocks: when applied, and when it became known.

Data: the loans of feast-dev/feast-aws-credit-scoring-tutorial (Apache-2.0), not part of this repository.
"""

from weighbridge.declare import (
    Category,
    Contract,
    Id,
    Integer,
    Key,
    Label,
    Money,
    Number,
    Policy,
    Time,
    Training,
    UseCase,
    encode,
    lightgbm,
    log,
    logistic,
    random_forest,
    ratio,
    standard_gates,
    value,
    xgboost,
)

application = Contract(
    "application",
    [
        Id("loan_id"),
        Time("event_timestamp", late="30d", arrived="created_timestamp"),
        Key("dob_ssn", pii="pseudonymised"),
        Key("zipcode"),
        Integer("person_age", at_least=18, at_most=150),
        Money("person_income", at_least=0, at_most=10_000_000),
        Category("person_home_ownership", one_of=["RENT", "OWN", "MORTGAGE", "OTHER"]),
        Number("person_emp_length", at_least=0, at_most=200, optional=True),
        Category(
            "loan_intent",
            one_of=["PERSONAL", "EDUCATION", "MEDICAL", "VENTURE", "HOMEIMPROVEMENT", "DEBTCONSOLIDATION"],
        ),
        Money("loan_amnt", at_least=0, at_most=100_000),
        Number("loan_int_rate", at_least=0, at_most=50, optional=True),
    ],
)
area = application.by("zipcode")

case = UseCase(
    name="loans",
    events=application,
    features=[
        value("person_age"), log("person_income"), value("person_emp_length"), value("loan_amnt"),
        value("loan_int_rate"), ratio("loan_amnt", "person_income"),
        encode("person_home_ownership", how="one_hot"), encode("loan_intent", how="one_hot"),
        area.count(last="90d"), area.label_rate(last="365d"), area.mean("loan_amnt", last="365d"),
    ],
    label=Label("loan_status", matures="30d"),
    models=[logistic(), random_forest(), xgboost(), lightgbm()],
    policy=Policy(review_capacity_per_day=50),
    training=Training(metric="roc_auc", validation="60d"),
    gates=standard_gates("roc_auc"),
)  # fmt: skip
