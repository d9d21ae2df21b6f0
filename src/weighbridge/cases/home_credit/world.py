"""A simulated world of the seven tables. Risk depends on what the application shows and on what only payments show.

`standing` shows in the external sources and the job, `means` in amounts, `age` in days: the application tells them.
`discipline` shows in payments and months in arrears, `burden` in credits elsewhere and refusals: only child tables do.
"""

from weighbridge.cases.home_credit.application import CIRCLE, DOCUMENTS, ENQUIRIES, HOUSE, KINDS, PHONES, PLACES
from weighbridge.cases.home_credit.history import STATUSES
from weighbridge.declare import Drawn, Relations, Rows, among, drawn, flag, lognormal, normal, steps


def alike(*names: str) -> list[Drawn]:
    """The declared values of these categories, all as likely."""
    return [drawn(name, among(dict.fromkeys(KINDS[name], 1.0)), missing=0.3) for name in names]


def amounts(names: str, median: float, *, missing: float = 0.0, **of: float) -> list[Drawn]:
    """Amounts around one median."""
    shape = lognormal(median, 0.8, at_most=1e7)
    return [Drawn(f"AMT_{name}", shape, of, missing=missing) for name in names.split()]


applications = [
    drawn("NAME_CONTRACT_TYPE", among({"Cash loans": 0.9, "Revolving loans": 0.1})),
    drawn("CODE_GENDER", among({"F": 0.66, "M": 0.34}), unknown=0.0002, standing=-0.1),
    drawn("FLAG_OWN_CAR", among({"N": 0.66, "Y": 0.34}), means=0.3),
    drawn("FLAG_OWN_REALTY", among({"N": 0.31, "Y": 0.69})),
    drawn("NAME_INCOME_TYPE", among({"Working": 0.52, "Commercial associate": 0.23, "State servant": 0.07,
                                     "Pensioner": 0.18}), age=0.6),
    drawn("NAME_EDUCATION_TYPE", among({"Lower secondary": 0.01, "Secondary / secondary special": 0.71,
                                        "Incomplete higher": 0.03, "Higher education": 0.25}), standing=0.4),
    *alike("NAME_TYPE_SUITE", "NAME_FAMILY_STATUS", "NAME_HOUSING_TYPE", "OCCUPATION_TYPE",
           "WEEKDAY_APPR_PROCESS_START", "FONDKAPREMONT_MODE", "HOUSETYPE_MODE", "WALLSMATERIAL_MODE",
           "EMERGENCYSTATE_MODE"),
    drawn("ORGANIZATION_TYPE", among(dict.fromkeys(KINDS["ORGANIZATION_TYPE"], 1.0)), unknown=0.18),
    drawn("CNT_CHILDREN", lognormal(0.4, 0.9, at_most=12), age=-0.4),
    drawn("CNT_FAM_MEMBERS", normal(2, 0.9, at_least=1)),
    drawn("AMT_INCOME_TOTAL", lognormal(147_000, 0.5, at_least=25_000), means=0.8),
    drawn("AMT_CREDIT", lognormal(514_000, 0.7, at_least=45_000, at_most=4_050_000), means=0.5),
    drawn("AMT_ANNUITY", lognormal(0.052, 0.35), times="AMT_CREDIT", missing=0.0001, standing=-0.2),
    drawn("AMT_GOODS_PRICE", normal(0.9, 0.06, at_least=0.6), times="AMT_CREDIT", missing=0.001, standing=0.2),
    drawn("REGION_POPULATION_RELATIVE", lognormal(0.019, 0.6, at_most=0.073), means=0.2),
    drawn("DAYS_BIRTH", normal(-16_000, 4_300, at_least=-25_200, at_most=-7_500), age=-0.95, standing=-0.1),
    drawn("DAYS_EMPLOYED", normal(-2_400, 2_000, at_least=-17_900, at_most=0), unknown=0.18, standing=-0.3, age=-0.2),
    *(drawn(f"DAYS_{what}", normal(mean, -mean / 2, at_most=0), age=-0.2)
      for what, mean in (("REGISTRATION", -5_000), ("ID_PUBLISH", -3_000), ("LAST_PHONE_CHANGE", -960))),
    drawn("OWN_CAR_AGE", lognormal(9, 0.7, at_most=91), missing=0.66, means=-0.3),
    *(drawn(f"REGION_RATING_CLIENT{what}", among({1: 0.1, 2: 0.74, 3: 0.16}), standing=-0.2)
      for what in ("", "_W_CITY")),
    drawn("HOUR_APPR_PROCESS_START", normal(12, 3, at_least=0, at_most=23)),
    *(drawn(name, flag(0.2)) for name in PHONES), *(drawn(name, flag(0.08), standing=-0.1) for name in PLACES),
    *(drawn(name, flag(0.02)) for name in DOCUMENTS),
    drawn("EXT_SOURCE_1", normal(0.5, 0.21, at_least=0.015, at_most=0.96), missing=0.56, standing=0.6, age=0.2),
    drawn("EXT_SOURCE_2", normal(0.52, 0.19, at_least=0.0001, at_most=0.85), missing=0.002, standing=0.7),
    drawn("EXT_SOURCE_3", normal(0.51, 0.19, at_least=0.0005, at_most=0.9), missing=0.2, standing=0.65),
    *(drawn(name, normal(0.2, 0.12, at_least=0, at_most=1), missing=0.55, means=0.3) for name in HOUSE),
    *(drawn(name, lognormal(0.5, 0.9, at_most=50), missing=0.003) for name in CIRCLE),
    *(drawn(name, lognormal(0.3, 0.9, at_most=20), missing=0.13, burden=0.1) for name in ENQUIRIES),
]  # fmt: skip

bureau = Rows("bureau", lognormal(4.5, 0.75, at_most=116), none=0.14, of={"burden": 0.3}, columns=[
    drawn("CREDIT_ACTIVE", among({"Closed": 0.63, "Active": 0.365, "Sold": 0.004, "Bad debt": 0.001}), burden=0.4),
    drawn("CREDIT_CURRENCY", among({"currency 1": 0.999, "currency 2": 0.001})),
    drawn("CREDIT_TYPE", among({"Mortgage": 0.02, "Car loan": 0.03, "Consumer credit": 0.72, "Credit card": 0.22,
                                "Microloan": 0.01}), burden=0.2),
    drawn("DAYS_CREDIT", normal(-1_140, 790, at_least=-2_922, at_most=0), burden=0.3),
    drawn("CREDIT_DAY_OVERDUE", lognormal(0.01, 2.5, at_most=2_792), burden=0.4, discipline=-0.2),
    drawn("DAYS_CREDIT_ENDDATE", normal(510, 2_000, at_most=31_199), plus="DAYS_CREDIT", missing=0.06),
    drawn("DAYS_ENDDATE_FACT", normal(-1_000, 700, at_most=0), missing=0.37),
    drawn("DAYS_CREDIT_UPDATE", normal(-300, 300, at_most=372)), drawn("CNT_CREDIT_PROLONG", lognormal(0.05, 1.0)),
    drawn("AMT_CREDIT_SUM", lognormal(125_000, 1.2, at_most=5e8), means=0.3),
    drawn("AMT_CREDIT_SUM_DEBT", lognormal(0.25, 1.0, at_most=3), times="AMT_CREDIT_SUM", missing=0.15, burden=0.5),
    *amounts("CREDIT_MAX_OVERDUE CREDIT_SUM_OVERDUE", 20, missing=0.4, burden=0.4, discipline=-0.2),
    *amounts("CREDIT_SUM_LIMIT ANNUITY", 9_000, missing=0.7),
])  # fmt: skip
bureau_balance = Rows("bureau_balance", lognormal(12, 0.6, at_most=97), none=0.5, under="bureau", columns=[
    drawn("MONTHS_BALANCE", steps(0, -1)),
    drawn("STATUS", among({"C": 0.48, "X": 0.2, "0": 0.29, "1": 0.02, "2": 0.004, "3": 0.002, "4": 0.001, "5": 0.003}),
          discipline=-0.25, burden=0.25),
])  # fmt: skip
previous = Rows("previous_application", lognormal(3.8, 0.75, at_most=77), none=0.05, of={"burden": 0.2}, columns=[
    drawn("NAME_CONTRACT_TYPE", among({"Cash loans": 0.45, "Consumer loans": 0.44, "Revolving loans": 0.11}),
          unknown=0.001),
    drawn("NAME_CONTRACT_STATUS", among({"Approved": 0.62, "Unused offer": 0.02, "Canceled": 0.19, "Refused": 0.17}),
          burden=0.45, standing=-0.15),
    drawn("CODE_REJECT_REASON", among({"LIMIT": 0.2, "HC": 0.65, "SCO": 0.15}), unknown=0.81, burden=0.3),
    drawn("NAME_YIELD_GROUP", among({"low_action": 0.08, "low_normal": 0.3, "middle": 0.34, "high": 0.28}), unknown=0.3,
          burden=0.25),
    drawn("NAME_PRODUCT_TYPE", among({"x-sell": 0.73, "walk-in": 0.27}), unknown=0.6),
    drawn("NAME_PORTFOLIO", among({"POS": 0.53, "Cash": 0.36, "Cards": 0.11}), unknown=0.2),
    drawn("NAME_GOODS_CATEGORY", among({"Mobile": 0.5, "Computers": 0.25, "Furniture": 0.25}), unknown=0.57),
    drawn("FLAG_LAST_APPL_PER_CONTRACT", among({"N": 0.005, "Y": 0.995})), drawn("NFLAG_LAST_APPL_IN_DAY", flag(0.996)),
    drawn("AMT_APPLICATION", lognormal(90_000, 1.0, at_most=6e6), means=0.3),
    drawn("AMT_CREDIT", normal(1.0, 0.15, at_least=0.1), times="AMT_APPLICATION", burden=-0.4),
    drawn("AMT_ANNUITY", lognormal(0.12, 0.4), times="AMT_CREDIT", missing=0.22),
    drawn("AMT_GOODS_PRICE", normal(0.95, 0.05, at_least=0.5), times="AMT_CREDIT", missing=0.23),
    *amounts("DOWN_PAYMENT", 3_000, missing=0.53),
    drawn("RATE_DOWN_PAYMENT", normal(0.08, 0.1, at_least=0), missing=0.53),
    drawn("CNT_PAYMENT", lognormal(12, 0.6, at_most=84), missing=0.22), drawn("SELLERPLACE_AREA", lognormal(80, 2.0)),
    drawn("HOUR_APPR_PROCESS_START", normal(12, 3, at_least=0, at_most=23)),
    drawn("DAYS_DECISION", normal(-880, 780, at_least=-2_922, at_most=-1), burden=0.2),
    drawn("DAYS_FIRST_DRAWING", normal(-1_000, 700), unknown=0.95, missing=0.4),
    *(drawn(f"DAYS_{what}", normal(shift, 200, at_most=2_400), plus="DAYS_DECISION", unknown=0.15, missing=0.4)
      for what, shift in (("FIRST_DUE", 30), ("LAST_DUE_1ST_VERSION", 400), ("LAST_DUE", 350), ("TERMINATION", 360))),
    drawn("NFLAG_INSURED_ON_APPROVAL", flag(0.33), missing=0.4),
])  # fmt: skip
pos_cash = Rows("POS_CASH_balance", lognormal(8, 0.5, at_most=96), none=0.4, under="previous_application", columns=[
    drawn("MONTHS_BALANCE", steps(-1, -1)), drawn("CNT_INSTALMENT", lognormal(14, 0.5, at_most=92), missing=0.003),
    drawn("CNT_INSTALMENT_FUTURE", lognormal(8, 0.7, at_most=85), missing=0.003),
    drawn("NAME_CONTRACT_STATUS", among({"Completed": 0.07, "Active": 0.92, "Signed": 0.01})),
    *(drawn(name, lognormal(median, 2.2, at_most=4_000), discipline=-0.5)
      for name, median in (("SK_DPD", 0.02), ("SK_DPD_DEF", 0.01))),
])  # fmt: skip
credit_card = Rows("credit_card_balance", lognormal(20, 0.6, at_most=96), none=0.88, under="previous_application",
                   columns=[
    drawn("MONTHS_BALANCE", steps(-1, -1)),
    drawn("AMT_CREDIT_LIMIT_ACTUAL", lognormal(135_000, 0.6, at_most=1_350_000), means=0.5),
    drawn("AMT_BALANCE", lognormal(0.35, 0.9, at_most=1.4), times="AMT_CREDIT_LIMIT_ACTUAL", burden=0.4),
    *amounts("DRAWINGS_ATM_CURRENT DRAWINGS_CURRENT DRAWINGS_POS_CURRENT DRAWINGS_OTHER_CURRENT", 4_000, missing=0.2,
             burden=0.3),
    *amounts("INST_MIN_REGULARITY PAYMENT_CURRENT PAYMENT_TOTAL_CURRENT", 5_000, missing=0.1, discipline=0.2),
    *amounts("RECEIVABLE_PRINCIPAL RECIVABLE TOTAL_RECEIVABLE", 50_000),
    *(drawn(f"CNT_DRAWINGS_{how}CURRENT", lognormal(0.5, 1.0, at_most=60), missing=0.2, burden=0.3)
      for how in ("ATM_", "", "OTHER_", "POS_")),
    drawn("CNT_INSTALMENT_MATURE_CUM", lognormal(18, 0.7, at_most=120), missing=0.08),
    drawn("NAME_CONTRACT_STATUS", among({STATUSES[0]: 0.96, STATUSES[1]: 0.04})),
    *(drawn(name, lognormal(median, 2.2, at_most=3_000), discipline=-0.5)
      for name, median in (("SK_DPD", 0.05), ("SK_DPD_DEF", 0.03))),
])  # fmt: skip
installments = Rows("installments_payments", lognormal(10, 0.6, at_most=200), none=0.3, under="previous_application",
                    columns=[
    drawn("NUM_INSTALMENT_VERSION", among({0: 0.25, 1: 0.65, 2: 0.1})), drawn("NUM_INSTALMENT_NUMBER", steps(1, 1)),
    drawn("DAYS_INSTALMENT", steps(-10, -30)),
    drawn("DAYS_ENTRY_PAYMENT", normal(-9, 14, at_least=-120, at_most=600), plus="DAYS_INSTALMENT", missing=0.0002,
          discipline=-0.45),
    drawn("AMT_INSTALMENT", lognormal(8_900, 0.9, at_most=3.7e6), means=0.3),
    drawn("AMT_PAYMENT", normal(1.05, 0.15, at_least=0.02, at_most=1.0), times="AMT_INSTALMENT", missing=0.0002,
          discipline=0.35),
])  # fmt: skip

world = Relations(
    factors=["standing", "means", "age", "discipline", "burden"],
    columns=applications,
    tables=[bureau, bureau_balance, previous, pos_cash, credit_card, installments],
    risk={"standing": -0.46, "age": -0.15, "means": -0.05, "discipline": -0.25, "burden": 0.25},
    rate=0.081,
)
