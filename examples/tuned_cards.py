"""Card fraud with searched parameters, selected features and a calibration that is chosen."""

from dataclasses import replace

from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.declare import Range, Search, Select, lightgbm, logistic

case = replace(
    card_fraud,
    name="tuned_cards",
    models=[
        logistic(),
        lightgbm(
            n_estimators=60,
            calibration="auto",
            search=Search(trials=6, space={"num_leaves": Range(4, 31, log=True), "learning_rate": Range(0.02, 0.3)}),
        ),
    ],
    training=replace(card_fraud.training, select=Select(by="permutation", most=20)),
)
