"""Credit cards: will a client default next month? Real clients of a bank in Taiwan, 2005, six months of each.

A table that arrived at once, without a time: the split is stratified.
Data: Default of Credit Card Clients (I-C. Yeh, UCI Machine Learning Repository), not part of this repository.
"""

from itertools import pairwise

from weighbridge.declare import (
    Category,
    Contract,
    Costs,
    Id,
    Integer,
    Label,
    Money,
    Policy,
    Training,
    UseCase,
    difference,
    encode,
    is_missing,
    lightgbm,
    log,
    logistic,
    mean_of,
    most_of,
    random_forest,
    ratio,
    standard_gates,
    value,
)

MONTHS = (1, 2, 3, 4, 5, 6)  # before the one to predict
STATUS = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")  # months in arrears; 0 and below: none
BILLS, PAID = ([f"{kind}{month}" for month in MONTHS] for kind in ("BILL_AMT", "PAY_AMT"))

client = Contract(
    "client",
    [
        Id("ID", whole=True),
        Money("LIMIT_BAL", at_least=0, at_most=10_000_000),
        Category("SEX", one_of=["1", "2"]),
        Category("EDUCATION", one_of=["1", "2", "3", "other"], other="other"),  # 0, 4, 5 and 6: others and unknown
        Category("MARRIAGE", one_of=["1", "2", "other"], other="other"),
        Integer("AGE", at_least=18, at_most=120, optional=True),
        *(Integer(name, at_least=-2, at_most=12) for name in STATUS),
        *(Money(name, at_least=-10_000_000, at_most=10_000_000) for name in BILLS),
        *(Money(name, at_least=0, at_most=10_000_000) for name in PAID),
    ],
)
early, late = mean_of(*STATUS[:3], name="status_mean_1_to_3"), mean_of(*STATUS[3:], name="status_mean_4_to_6")

case = UseCase(
    name="credit_card_default",
    events=client,
    features=[
        *(value(field.name) for field in client.payload if field.numeric),
        encode("SEX"), encode("EDUCATION", how="one_hot"), encode("MARRIAGE", how="one_hot"), is_missing("AGE"),
        early, late, difference(early, late, name="status_worsens"),
        most_of(*STATUS[:3], name="status_worst_1_to_3"), most_of(*STATUS[3:], name="status_worst_4_to_6"),
        *(ratio(bill, "LIMIT_BAL") for bill in BILLS),
        *(ratio(paid, bill) for paid, bill in zip(PAID, BILLS[1:], strict=False)),
        mean_of(*PAID[:3], name="paid_mean_1_to_3"), log(mean_of(*PAID[3:], name="paid_mean_4_to_6")),
        *(difference(new, old) for new, old in pairwise(BILLS)),
    ],
    label=Label("default", matures="0s", column="default.payment.next.month"),
    models=[
        logistic(),
        random_forest(n_estimators=200, min_samples_leaf=20, max_depth=20, max_samples=0.8),
        lightgbm(n_estimators=350, learning_rate=0.025, num_leaves=15, min_child_samples=100, colsample_bytree=0.3,
                 reg_lambda=30.0, imbalance="none"),
    ],
    policy=Policy(costs=Costs(missed=10, wrong_decline=4, review=1), review_capacity_per_day=200),
    training=Training(metric="roc_auc", split="stratified"),
    gates=standard_gates("roc_auc"),
)  # fmt: skip
