"""A wrong declaration is refused when it is made, in one sentence: what, where, the fix."""

from __future__ import annotations

from dataclasses import replace

import pytest

from weighbridge.cases.card_fraud import case
from weighbridge.declare import (
    Category,
    Contract,
    Costs,
    Gate,
    Id,
    Integer,
    Key,
    Label,
    Model,
    Money,
    Number,
    Objectives,
    Pattern,
    Policy,
    Reasons,
    Select,
    Simulation,
    Stage,
    Text,
    Time,
    Training,
    Watch,
    above,
    bucket,
    encode,
    equal,
    hour_of_day,
    is_between_hours,
    is_round,
    lightgbm,
    log,
    mean_of,
    value,
    zscore,
)
from weighbridge.errors import DeclarationError
from weighbridge.kernel.plan import compile_plan

P = Contract("payment", [Id("id"), Time("at"), Key("card_id"), Text("note"), Money("amount", at_least=0, at_most=5_000),
                         Number("open"), Category("device", one_of=["a", "b"])])  # fmt: skip
CARD = P.by("card_id")
HUGE = Contract("huge", [Id("id"), Time("at"), Key("k"), Money("m", at_least=0, at_most=1e12)])

REFUSED = {
    "objectives latency": (lambda: Objectives(latency="fast"), "is not a duration"),
    "objectives no lag": (lambda: Objectives(feature_lag="0s"), "no time at all"),
    "objectives all": (lambda: Objectives(availability=1.0), "above 0 and below 1"),
    "objectives percent": (lambda: Objectives(availability=99.5), "above 0 and below 1"),
    "objectives nan": (lambda: Objectives(quantile=float("nan")), "above 0 and below 1"),
    "objectives true": (lambda: Objectives(quantile=True), "above 0 and below 1"),
    "objectives window": (lambda: Objectives(last="59min"), "too short to judge by"),
    "objectives undeclared": (lambda: replace(case, gates=[Gate("objectives_missed", at_most=0)]), "no objectives are"),
    "watch last": (lambda: Watch(last="a week"), "is not a duration"),
    "watch reference": (lambda: Watch(last="7d", reference="1d"), "shorter than last"),
    "watch nothing": (lambda: Watch(last="0d"), "last is 0"),
    "watch rows": (lambda: Watch(at_least=10), "tell too little"),
    "watch rate": (lambda: Watch(false_discovery_rate=0.5), "not between 0 and .2"),
    "watch order": (lambda: Watch(moderate=0.2, severe=0.1), "that rise"),
    "watch nan": (lambda: Watch(critical=float("nan")), "not numbers above 0"),
    "watch concept": (lambda: Watch(concept=[0.5, 1.0]), "has 2 bounds"),
    "watch sink": (lambda: Watch(sinks=["My Slack"]), "not the name of a sink"),
    "watch sinks": (lambda: Watch(sinks="slack"), "give a list"),
    "watch twice": (lambda: Watch(sinks=["log", "log"]), "named twice"),
    "watch cool-down": (lambda: Watch(cool_down=""), "is not a duration"),
    "field name": (lambda: Text("no name"), "not a name"),
    "pii class": (lambda: Key("k", pii="secret"), "no PII class"),
    "pii number": (lambda: Money("m", pii="pseudonymised"), "only text can be pseudonymised"),
    "pattern": (lambda: Text("t", pattern="("), "not a regular expression"),
    "ulid and pattern": (lambda: Id("i", ulid=True, pattern="x"), "keep one"),
    "duration": (lambda: Time("t", late="ten minutes"), "is not a duration"),
    "optional time": (lambda: Time("t", optional=True), "cannot be optional"),
    "bounds": (lambda: Money("m", at_least=2, at_most=1), "swap them"),
    "nan bound": (lambda: Money("m", at_least=float("nan")), "not a finite number"),
    "bool bound": (lambda: Money("m", at_least=True), "not a finite number"),
    "64 bits": (lambda: Number("n", at_least=0, at_most=1e18), "overflow 64 bits"),
    "cap": (lambda: Money("m", cap=True), "no bound to cap"),
    "categories": (lambda: Category("c", one_of=["a", "a"]), "list each value once"),
    "another": (lambda: Category("c", one_of=["a"], other="b"), "list it there too"),
    "means missing": (lambda: Category("c", one_of=["a"], means_missing=["b"]), "add optional=True"),
    "value and missing": (lambda: Category("c", one_of=["a"], means_missing=["a"], optional=True), "in one of the lists"),
    "sentinel": (lambda: Number("n", means_missing=[float("inf")], optional=True), "not a finite number"),
    "whole": (lambda: Key("k", whole=True, pattern="[0-9]+"), "keep one"),
    "mean of one": (lambda: mean_of("amount"), "give two or three"),
    "two ids": (lambda: Contract("c", [Id("a"), Id("b"), Time("t")]), "has 2 Id fields"),
    "two times": (lambda: Contract("c", [Id("a"), Time("t"), Time("u")]), "has 2 Time fields"),
    "field twice": (lambda: Contract("c", [Id("a"), Time("t"), Key("k"), Key("k")]), "field k stands twice"),
    "events per key": (lambda: Contract("c", [Id("a"), Time("t")], events_per_key=0), "out of range"),
    "by": (lambda: P.by("amount"), "group by a Key"),
    "unknown field": (lambda: CARD.mean("amout", last="1d"), "no field 'amout'; use one of"),
    "mean of text": (lambda: CARD.mean("device", last="1d"), "use a Money, Number or Integer"),
    "distinct times": (lambda: CARD.distinct("at", last="1d"), "event's payload"),
    "unbounded sum": (lambda: CARD.sum("open", last="1d"), "could overflow"),
    "overflow": (lambda: HUGE.by("k").std("m", last="1d"), "overflow 64 bits"),
    "no window": (lambda: CARD.count(last="soon"), "is not a duration"),
    "empty window": (lambda: CARD.count(last="1d", until="1d"), "is empty"),
    "level": (lambda: CARD.quantile("amount", 1.5, last="1d"), "no level"),
    "streak": (lambda: CARD.label_streak(last="1d", of="width"), "of='width' is unknown"),
    "one name": (lambda: CARD.count(last=["1d", "2d"], name="n"), "one name="),
    "where type": (lambda: CARD.count(last="1d", where=equal("amount", "x")), "compare with its own type"),
    "where order": (lambda: CARD.count(last="1d", where=above("device", "a")), "use equal()"),
    "where category": (lambda: CARD.count(last="1d", where=equal("device", "c")), "not a device"),
    "buckets": (lambda: bucket("amount", [2, 1]), "do not rise"),
    "round": (lambda: is_round("amount", to=0), "not above 0"),
    "list operand": (lambda: zscore("amount", CARD.mean("amount", last=["1d"]), "amount"), "one window, not a list"),
    "encoding": (lambda: encode("device", how="embedding"), "how='embedding' is unknown"),
    "zone": (lambda: hour_of_day(zone="Mars/Base"), "zone='Mars/Base' is unknown"),
    "hours": (lambda: is_between_hours(start=5, end=5), "no span"),
    "imbalance": (lambda: Model("m", imbalance="luck"), "imbalance='luck'"),
    "calibration": (lambda: Model("m", calibration="luck"), "calibration='luck'"),
    "empty search": (lambda: lightgbm(num_leaves=[]), "has no values"),
    "bands": (lambda: Policy(bands=[("low", 0.1)]), "do not rise from 0"),
    "one threshold": (lambda: Policy(review_at=0.1), "both or neither"),
    "thresholds": (lambda: Policy(review_at=0.3, decline_at=0.2), "swap them"),
    "probability": (lambda: Policy(review_at=2, decline_at=3), "no probability"),
    "costs": (lambda: Costs(review=-1), "negative"),
    "gate": (lambda: Gate("luck", at_least=1), "figure is unknown"),
    "gate bounds": (lambda: Gate("ece", at_least=0, at_most=1), "exactly one"),
    "gate compare": (lambda: Gate("parity_mismatches", no_worse_by=1), "no production value"),
    "stage": (lambda: Stage("dance"), "verb is unknown"),
    "metric": (lambda: Training(metric="luck"), "metric='luck'"),
    "split": (lambda: Training(split="luck"), "split='luck'"),
    "split share": (lambda: Training(split="stratified", share=1.0), "out of range"),
    "split history": (lambda: Training(split="stratified", history="90d"), "split by time"),
    "split days": (lambda: replace(case, training=Training(split="stratified"), policy=replace(
        case.policy, capacity_on="every_day")), "knows no days"),
    "keep": (lambda: Select(most=0), "keeps none"),
    "maturity": (lambda: Label("bad", matures="later"), "is not a duration"),
    "pattern share": (lambda: Pattern("p", at="card_id", share=0), "out of range"),
    "pattern events": (lambda: Pattern("p", at="card_id", share=1, events=(0, 2)), "no range"),
    "no pattern": (lambda: Simulation("card_id", 1, "amount", []), "active from the start"),
    "label as field": (lambda: replace(case, label=Label("amount", matures="7d")), "also a field"),
    "own label": (lambda: replace(case, features=[value("is_fraud")]), "its own label|own label"),
    "text feature": (lambda: replace(case, features=[log("country")]), "encode() a Category"),
    "encode number": (lambda: replace(case, features=[encode("amount")]), "encode a Category"),
    "same name": (lambda: replace(case, features=[log("amount"), log("amount")]), "two features are called"),
    "keep no time": (lambda: replace(case, keep="long"), "is not a duration"),
    "keep too short": (lambda: replace(case, keep="96d"), "keep at least 98d"),
    "no features": (lambda: replace(case, features=[]), "no features"),
    "case name": (lambda: replace(case, name="card fraud"), "not an identifier"),
    "stage order": (lambda: replace(case, stages=[Stage("gate", ("train",))]), "comes before train"),
    "cost field": (lambda: replace(case, policy=Policy(costs=Costs(amount="country"))), "not a number"),
    "actor": (lambda: replace(case, simulate=replace(case.simulate, actor="amount")), "not a Key"),
    "where decimals": (lambda: compile_plan(replace(case, reasons=Reasons(), policy=Policy(), features=[case.events.by("card_id").count(
        last="1d", where=above("amount", 0.001))])), "more decimals"),
    "where text": (lambda: compile_plan(replace(case, reasons=Reasons(), policy=Policy(), features=[case.events.by("card_id").count(
        last="1d", where=equal("merchant_id", "m"))])), "no fixed code"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_declaration_is_refused_in_one_sentence(name):
    make, says = REFUSED[name]
    with pytest.raises(DeclarationError, match=says.replace("(", r"\(").replace(")", r"\)")) as refused:
        make()
    sentence = str(refused.value)
    assert "\n" not in sentence
    assert ";" in sentence  # the fix follows the fault


def test_digests_are_per_part():
    other = replace(case, policy=Policy(review_at=0.1, decline_at=0.2))
    assert (other.state_digest, other.vector_digest) == (case.state_digest, case.vector_digest)
    assert other.digest != case.digest
    more = replace(case, features=[*case.vector, log("amount", name="again")])
    assert more.state_digest == case.state_digest
    assert more.vector_digest != case.vector_digest
    wider = replace(case, features=[*case.vector, case.events.by("card_id").count(last="2d")])
    assert wider.state_digest != case.state_digest


def test_a_declaration_is_frozen_and_names_its_features():
    assert len(case.feature_names) == len(set(case.feature_names)) == 30
    with pytest.raises(AttributeError):
        case.name = "other"


def test_searched_parameters_become_candidates():
    names = [m.name for m in lightgbm(num_leaves=[7, 15], n_estimators=50).candidates()]
    assert names == ["lightgbm num_leaves=7", "lightgbm num_leaves=15"]


def test_integers_are_numbers_without_decimals():
    assert Integer("n", at_least=0, at_most=9).scale == 1
