"""What the model sees: the application's own columns, what they say together, and rollups over the six child tables."""

from weighbridge.cases.home_credit.application import KINDS, SOURCES, application
from weighbridge.cases.home_credit.history import (
    bureau,
    bureau_balance,
    credit_card,
    installments,
    pos_cash,
    previous,
)
from weighbridge.declare import (
    above,
    at_least,
    difference,
    encode,
    equal,
    is_missing,
    least_of,
    log,
    mean_of,
    most_of,
    ratio,
    value,
)

LATELY = ["180d", "365d", "1095d"]
MANY_VALUES = ("ORGANIZATION_TYPE", "OCCUPATION_TYPE")
TELLING = ("DAYS_EMPLOYED", *SOURCES, "OWN_CAR_AGE", "OCCUPATION_TYPE", "TOTALAREA_MODE", "AMT_REQ_CREDIT_BUREAU_YEAR",
           "OBS_30_CNT_SOCIAL_CIRCLE")  # fmt: skip
debt, credit = bureau.sum("AMT_CREDIT_SUM_DEBT"), bureau.sum("AMT_CREDIT_SUM")
balance, limit = credit_card.mean("AMT_BALANCE"), credit_card.mean("AMT_CREDIT_LIMIT_ACTUAL")
paid, owed = installments.sum("AMT_PAYMENT"), installments.sum("AMT_INSTALMENT")

of_application = [
    *(value(field.name) for field in application.payload if field.numeric),
    *(encode(name, how="target" if name in MANY_VALUES else "ordinal") for name in KINDS),
    *map(is_missing, TELLING),  # DAYS_EMPLOYED: nobody employs pensioners, the file says for a thousand years
    *(of(*SOURCES, name=f"EXT_SOURCE_{of.__name__}") for of in (mean_of, least_of, most_of)),
    ratio("AMT_CREDIT", "AMT_ANNUITY"), ratio("AMT_CREDIT", "AMT_INCOME_TOTAL"), ratio("AMT_CREDIT", "AMT_GOODS_PRICE"),
    ratio("AMT_ANNUITY", "AMT_INCOME_TOTAL"), ratio("AMT_INCOME_TOTAL", "CNT_FAM_MEMBERS"),
    difference("AMT_CREDIT", "AMT_GOODS_PRICE"), log("AMT_INCOME_TOTAL"),
    ratio("DAYS_EMPLOYED", "DAYS_BIRTH"), ratio("OWN_CAR_AGE", "DAYS_BIRTH"),
    ratio("DAYS_LAST_PHONE_CHANGE", "DAYS_BIRTH"),
]  # fmt: skip

of_bureau = [
    bureau.count(), bureau.count(last=LATELY, on="DAYS_CREDIT"), bureau.distinct("CREDIT_TYPE"),
    *(bureau.share(where=equal("CREDIT_ACTIVE", status)) for status in ("Active", "Closed", "Bad debt")),
    *(bureau.share(where=equal("CREDIT_TYPE", what)) for what in ("Credit card", "Microloan", "Mortgage")),
    bureau.mean("DAYS_CREDIT"), bureau.max("DAYS_CREDIT"), bureau.min("DAYS_CREDIT"), bureau.std("DAYS_CREDIT"),
    bureau.mean("DAYS_CREDIT_ENDDATE"), bureau.max("DAYS_CREDIT_ENDDATE", where=equal("CREDIT_ACTIVE", "Active")),
    bureau.mean("DAYS_CREDIT_UPDATE"), bureau.max("CREDIT_DAY_OVERDUE"), bureau.sum("CNT_CREDIT_PROLONG"),
    bureau.max("AMT_CREDIT_MAX_OVERDUE"), bureau.sum("AMT_CREDIT_SUM_OVERDUE"), bureau.mean("AMT_CREDIT_SUM"),
    debt, credit, ratio(debt, credit, name="bureau_debt_over_credit"), ratio(debt, "AMT_INCOME_TOTAL"),
    bureau.sum("AMT_CREDIT_SUM_DEBT", where=equal("CREDIT_ACTIVE", "Active"), last="1095d", on="DAYS_CREDIT"),
    bureau.latest("CREDIT_ACTIVE", order="DAYS_CREDIT"), bureau.latest("AMT_CREDIT_SUM", order="DAYS_CREDIT"),
    bureau_balance.count(), bureau_balance.min("MONTHS_BALANCE"),
    *(bureau_balance.share(where=equal("STATUS", status)) for status in ("C", "X", "0", "1", "2", "5")),
    *(bureau_balance.count(where=[equal("STATUS", status), at_least("MONTHS_BALANCE", -12)]) for status in "125"),
]  # fmt: skip

of_earlier = [
    previous.count(), previous.count(last=LATELY, on="DAYS_DECISION"),
    *(previous.share(where=equal("NAME_CONTRACT_STATUS", status)) for status in ("Approved", "Refused", "Canceled")),
    previous.count(where=equal("NAME_CONTRACT_STATUS", "Refused"), last="365d", on="DAYS_DECISION"),
    *(previous.share(where=equal("CODE_REJECT_REASON", reason)) for reason in ("HC", "LIMIT", "SCO")),
    *(previous.share(where=equal("NAME_YIELD_GROUP", group)) for group in ("high", "low_normal")),
    previous.share(where=equal("NAME_PRODUCT_TYPE", "walk-in")), previous.distinct("NAME_GOODS_CATEGORY"),
    previous.mean("AMT_APPLICATION"), previous.mean("AMT_CREDIT"), previous.max("AMT_CREDIT"),
    previous.mean("REDUCED"), previous.max("REDUCED"), previous.mean("AMT_ANNUITY"), previous.mean("RATE_DOWN_PAYMENT"),
    previous.mean("CNT_PAYMENT"), previous.mean("DAYS_DECISION"), previous.max("DAYS_DECISION"),
    previous.max("DAYS_LAST_DUE_1ST_VERSION"), previous.share(where=equal("NFLAG_INSURED_ON_APPROVAL", 1)),
    previous.latest("NAME_CONTRACT_STATUS", order="DAYS_DECISION"),
    previous.latest("AMT_CREDIT", order="DAYS_DECISION"),
    pos_cash.count(), pos_cash.mean("CNT_INSTALMENT"), pos_cash.mean("CNT_INSTALMENT_FUTURE"),
    pos_cash.latest("CNT_INSTALMENT_FUTURE", order="MONTHS_BALANCE"), pos_cash.max("SK_DPD"), pos_cash.mean("SK_DPD"),
    pos_cash.share(where=above("SK_DPD", 0)), pos_cash.share(where=above("SK_DPD_DEF", 0)),
    pos_cash.count(where=[above("SK_DPD_DEF", 0), at_least("MONTHS_BALANCE", -12)]),
    pos_cash.share(where=equal("NAME_CONTRACT_STATUS", "Completed")), pos_cash.distinct("SK_ID_PREV"),
]  # fmt: skip

of_payments = [
    credit_card.count(), balance, limit, ratio(balance, limit, name="credit_card_use"), credit_card.max("AMT_BALANCE"),
    credit_card.latest("AMT_BALANCE", order="MONTHS_BALANCE"), credit_card.mean("AMT_DRAWINGS_ATM_CURRENT"),
    credit_card.mean("AMT_DRAWINGS_POS_CURRENT"), credit_card.mean("AMT_PAYMENT_CURRENT"),
    credit_card.mean("CNT_DRAWINGS_ATM_CURRENT"), credit_card.share(where=above("SK_DPD", 0)),
    credit_card.max("SK_DPD"), credit_card.count(where=[above("SK_DPD_DEF", 0), at_least("MONTHS_BALANCE", -12)]),
    installments.count(), installments.count(last="365d", on="DAYS_INSTALMENT"),
    installments.mean("DAYS_LATE"), installments.max("DAYS_LATE"), installments.std("DAYS_LATE"),
    installments.mean("DAYS_LATE", last=LATELY, on="DAYS_INSTALMENT"),
    installments.max("DAYS_LATE", last="365d", on="DAYS_INSTALMENT"),
    installments.share(where=above("DAYS_LATE", 0)), installments.share(where=above("DAYS_LATE", 30)),
    installments.share(where=above("DAYS_LATE", 0), last="365d", on="DAYS_INSTALMENT"),
    installments.share(where=above("UNPAID", 0)), installments.mean("UNPAID"), installments.max("UNPAID"),
    installments.sum("UNPAID", last="365d", on="DAYS_INSTALMENT"), paid, owed,
    ratio(paid, owed, name="installments_paid_over_owed"), installments.distinct("NUM_INSTALMENT_VERSION"),
]  # fmt: skip
