"""Home Credit: will an applicant have trouble paying? One raw application and what is stored about the client.

The seven tables of the Kaggle competition Home Credit Default Risk, as its files are; missing child tables are empty.
"""

from weighbridge.cases.home_credit.application import application
from weighbridge.cases.home_credit.features import of_application, of_bureau, of_earlier, of_payments
from weighbridge.cases.home_credit.history import children
from weighbridge.cases.home_credit.world import world
from weighbridge.declare import (
    Costs,
    Feed,
    Label,
    Policy,
    Stage,
    Training,
    UseCase,
    lightgbm,
    logistic,
    standard_gates,
)

NIGHTLY, FILES = "0 1 * * *", "data/raw/home_credit"

case = UseCase(
    name="home_credit",
    events=application,
    children=children,
    features=[*of_application, *of_bureau, *of_earlier, *of_payments],
    label=Label("TARGET", matures="0s"),
    models=[
        logistic(C=0.003, tol=0.01),
        lightgbm(n_estimators=450, learning_rate=0.04, num_leaves=24, min_child_samples=80, colsample_bytree=0.2,
                 reg_lambda=30.0, max_bin=255, imbalance="none"),
    ],
    policy=Policy(
        costs=Costs(amount="AMT_CREDIT", missed=0.2, wrong_decline=40_000, review=1_000), review_capacity_per_day=150
    ),
    training=Training(metric="roc_auc", split="stratified", learning_curve=(0.5,)),
    gates=standard_gates("roc_auc"),
    stages=[
        Stage("ingest", (), NIGHTLY, "nightly", retries=2),
        Stage("build", ["ingest"], NIGHTLY, "nightly"),
        Stage("validate", ["build"], NIGHTLY, "nightly"),
        Stage("train", ["validate"], NIGHTLY, "nightly", timeout="6h"),
        Stage("gate", ["train"], NIGHTLY, "nightly"),
        Stage("promote", ["gate"], NIGHTLY, "nightly"),
        Stage("watch", ["promote"], NIGHTLY, "nightly"),
        Stage("freshness", ["ingest"], NIGHTLY, "nightly", timeout="10min"),  # last: what is stale stops nothing else
    ],
    sources=[
        Feed("application", f"{FILES}/application*.*", fresh="7d"),
        *(Feed(child.name.lower(), f"{FILES}/{child.name}.*", of=child.name, optional=True) for child in children),
    ],
    simulate=world,
)  # fmt: skip
