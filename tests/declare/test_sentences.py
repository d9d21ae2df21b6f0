"""Every feature's value reads as a sentence; what a case words itself is checked when it is declared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.cases.card_fraud import case as card_fraud
from weighbridge.declare import (
    Category,
    Contract,
    Id,
    Integer,
    Key,
    Label,
    Money,
    Number,
    Reasons,
    Says,
    Text,
    Time,
    UseCase,
    above,
    bucket,
    day_of_week,
    difference,
    encode,
    equal,
    hour_of_day,
    is_between_hours,
    is_business_hours,
    is_missing,
    is_round,
    is_weekend,
    least_of,
    lightgbm,
    log,
    mean_of,
    most_of,
    ratio,
    value,
    zscore,
)
from weighbridge.declare.aggregates import KINDS
from weighbridge.declare.sentences import sentence
from weighbridge.errors import DeclarationError
from weighbridge.kernel.plan import RowOp

LOAN = Contract("loan_entry", [Id("id"), Time("at"), Key("person_id", pii="pseudonymised"), Text("note"),
                         Money("amount", at_least=0, at_most=5_000), Number("term", at_least=0, at_most=99, optional=True),
                         Integer("age", at_least=0, at_most=150), Category("purpose", one_of=["CAR", "HOME"])])  # fmt: skip
P = LOAN.by("person_id")
EVERY = [
    P.count(last=["1h", "1d"]), P.count(last="30d", until="7d", where=[equal("purpose", "CAR"), above("amount", 100)]),
    P.sum("amount", last="7d"), P.mean("term", last="7d"), P.std("amount", last="7d"), P.min("amount", last="7d"),
    P.max("age", last="7d"), P.quantile("amount", 0.9, last="7d"), P.distinct("note", last="7d"),
    P.since_last(within="2d"), P.seen_before("purpose", last="7d"), P.seen_before("note", last="7d", until="1d"),
    P.label_count(last="7d"), P.label_count(last="7d", of="positive"), P.label_rate(last="7d"),
    P.label_streak(last="7d"), P.label_streak(last="7d", of="age"),
    value("term"), log("amount"), log(P.sum("amount", last="1d")), is_round("amount"), is_round("amount", to=50, name="r"),
    bucket("age", [18, 30, 65]), zscore("amount", P.mean("amount", last="7d"), P.std("amount", last="7d")),
    zscore("amount", "age", "term", name="z"), ratio("amount", log("age")), ratio(P.count(last="2h"), P.count(last="9d")),
    difference("amount", P.quantile("amount", 0.5, last="7d")), difference(log("age"), "term", name="d"),
    is_missing("term"), is_missing(P.mean("term", last="7d")), mean_of("amount", "age"), least_of("term", "age", "amount"),
    most_of("amount", P.max("age", last="7d"), name="most"),
    encode("purpose"), hour_of_day(zone="Europe/Paris"), day_of_week(), is_weekend(), is_business_hours(),
    is_between_hours(start=0, end=6),
]  # fmt: skip
CASE = UseCase("loans", LOAN, EVERY, Label("is_default", matures="30d"), [lightgbm()])


def test_every_kind_is_among_them():
    kinds = {feature.kind for feature in CASE.vector}
    assert kinds == set(KINDS) | {op.name.lower() for op in RowOp}


@pytest.mark.parametrize("place", range(len(CASE.vector)), ids=CASE.feature_names)
@given(number=st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.0, 3.5]), st.floats(0, width=32)))
def test_any_value_reads_as_one_line_of_words(place, number):
    feature = CASE.vector[place]
    text = sentence(CASE, feature, number)
    assert text.isprintable()
    assert 6 < len(text) < 200
    assert not any(sign in text for sign in ("{", "}", "_", "None", "nan", "  ", " -0", " 1 loan entries"))


def said(name, number, case=card_fraud):
    return sentence(case, case.vector[case.feature_names.index(name)], number)


@pytest.mark.parametrize(
    ("name", "number", "text"),
    [
        ("person_count_1h", 12.0, "12 earlier loan entries of this person in the last hour"),
        ("person_count_1h", 1.0, "1 earlier loan entry of this person in the last hour"),
        ("person_count_1d", 0.0, "no earlier loan entry of this person in the last 24 hours"),
        ("person_count_30d_until_7d_where_purpose_is_CAR_where_amount_above_100", 2.0,
         "2 earlier loan entries of this person with purpose CAR and amount above 100 between 30 days and 7 days before"),
        ("person_amount_sum_7d", 1234.5, "this person's total amount of the last 7 days is 1,234.50"),
        ("person_term_mean_7d", None, "this person's mean term of the last 7 days is unknown: there was no loan entry with term"),
        ("person_amount_std_7d", None, "fewer than two earlier loan entries of this person in the last 7 days"),
        ("person_amount_quantile_0.9_7d", 3.0, "this person's 90% quantile of amount of the last 7 days is 3.00"),
        ("person_note_distinct_7d", 3.0, "3 different notes of this person in the last 7 days"),
        ("person_since_last_2d", None, "no earlier loan entry of this person within 2 days"),
        ("person_since_last_2d", 840.0, "14 minutes since the last loan entry of this person"),
        ("person_purpose_seen_before_7d", 0.0, "first time this person is seen with this purpose within 7 days"),
        ("person_label_rate_7d", 0.032, "3.2% of the labelled loan entries of this person in the last 7 days were default"),
        ("person_label_streak_length_7d", 3.0,
         "the 3 newest labelled loan entries of this person in the last 7 days were all default"),
        ("term", None, "term is missing"), ("amount_log", float(np.float32(np.log1p(98.5))), "amount is 98.50"),
        ("r", 1.0, "amount is a multiple of 50"), ("age_bucket", 1.0, "age is 18 or more, below 30"),
        ("amount_zscore_person_amount_mean_7d", 6.14, "amount is 6.1 deviations above this person's usual of the last 7 days"),
        ("amount_minus_person_amount_quantile_0.5_7d", -12.3,
         "amount is 12.30 below this person's median amount of the last 7 days"),
        ("purpose_code", 1.0, "purpose is HOME"), ("day_of_week", 6.0, "the loan entry came on a Sunday (UTC)"),
        ("is_business_hours", 0.0, "the loan entry came outside business hours (09:00 to 17:00 UTC)"),
    ],
)  # fmt: skip
def test_sentences_read_like_this(name, number, text):
    assert said(name, number, CASE) == text


def worded(says):
    return replace(card_fraud, reasons=Reasons(says))


def test_a_case_words_what_it_wants():
    usual, new = "amount_zscore_card_amount_mean_30d", "card_device_seen_before_30d"
    case = worded({usual: "amount is {size:.1f} deviations {side} what is usual ({value:.2f}), 100 {{%}}",
                   new: Says("known device", zero="new device", missing="no device"),
                   "country_code": "paid from {value}", "card_since_last_30d": "last seen {value} ago"})  # fmt: skip
    assert said(usual, -6.14, case) == "amount is 6.1 deviations below what is usual (-6.14), 100 {%}"
    assert said(usual, None, case) == said(usual, None)
    assert [said(new, v, case) for v in (1.0, 0.0, None)] == ["known device", "new device", "no device"]
    assert said("country_code", 5.0, case) == "paid from IN"
    assert said("card_since_last_30d", 90.0, case) == "last seen 90 seconds ago"


def test_words_change_no_vector_and_no_state():
    case = worded({"card_count_1h": "busy"})
    assert (case.state_digest, case.vector_digest) == (card_fraud.state_digest, card_fraud.vector_digest)
    assert case.digest != card_fraud.digest


WRONG = {
    "unknown": ({"gone": "x"}, "no such feature"),
    "attribute": ({"card_count_1h": "{value.__class__}"}, "placeholder 'value.__class__'"),
    "item": ({"card_count_1h": "{value[0]}"}, "placeholder"),
    "conversion": ({"card_count_1h": "{value!r}"}, "placeholder 'value'"),
    "place": ({"card_count_1h": "{}"}, "placeholder ''"),
    "nested": ({"card_count_1h": "{value:{size}}"}, "holds the format"),
    "wide": ({"card_count_1h": "{value:999999999}"}, "holds the format"),
    "brace": ({"card_count_1h": "{value"}, "no template"),
    "lines": ({"card_count_1h": "a\nb"}, "one line"),
    "empty": ({"card_count_1h": ""}, "one line"),
    "long": ({"card_count_1h": "x" * 201}, "one line"),
    "no text": ({"card_count_1h": 5}, "no sentence"),
    "number of a category": ({"country_code": "{value:.1f}"}, "as a number"),
    "size of a category": ({"country_code": "{size}"}, "as a number"),
    "missing with a value": ({"card_count_1h": Says("x", missing="{value}")}, "missing= holds a placeholder"),
    "zero": ({"card_count_1h": Says("x", zero="{y}")}, "placeholder 'y'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_sentence_is_refused(name):
    says, why = WRONG[name]
    with pytest.raises(DeclarationError, match=r"use case card_fraud, Reasons, ") as refused:
        worded(says)
    assert why in str(refused.value)


@pytest.mark.parametrize("options", [{"actions": ["allow"]}, {"share": 1.5}, {"share": -0.1}, {"most": 0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(DeclarationError, match="Reasons: "):
        Reasons(**options)


def test_a_share_of_the_rest_is_chosen_by_the_id():
    ids = [f"event-{n}" for n in range(4_000)]
    chosen = [i for i in ids if Reasons(share=0.25).wanted("approve", i)]
    assert 900 < len(chosen) < 1_100
    assert chosen == [i for i in ids if Reasons(share=0.25).wanted("approve", i)]
    assert set(chosen) < {i for i in ids if Reasons(share=0.5).wanted("approve", i)}
    assert not any(Reasons().wanted("approve", i) for i in ids)
    assert all(Reasons(share=1).wanted("approve", i) for i in ids)
    assert all(Reasons().wanted("review", i) and not Reasons(actions=()).wanted("review", i) for i in ids)
