"""What belongs to an application: its client's credits elsewhere, and earlier applications and payments here."""

from weighbridge.cases.home_credit.columns import WEEKDAYS, YES_NO, amount, days, kind, months, part, whole
from weighbridge.declare import Child, Integer, Key, minus

CLIENT, CREDIT, EARLIER, MONTH = "SK_ID_CURR", "SK_ID_BUREAU", "SK_ID_PREV", "MONTHS_BALANCE"
STATUSES = ["Active", "Completed", "Signed", "Demand", "Sent proposal", "Refused", "Approved", "Amortized debt",
            "Canceled", "Returned to the store"]  # fmt: skip

bureau = Child("bureau", [
    Key(CLIENT, whole=True), Key(CREDIT, whole=True),
    kind("CREDIT_ACTIVE", ["Active", "Closed", "Sold", "Bad debt"]),
    kind("CREDIT_CURRENCY", [f"currency {n}" for n in range(1, 5)]),
    kind("CREDIT_TYPE", [
        "Consumer credit", "Credit card", "Car loan", "Mortgage", "Microloan", "Loan for business development",
        "Another type of loan", "Unknown type of loan", "Loan for working capital replenishment", "Real estate loan",
        "Cash loan (non-earmarked)", "Loan for the purchase of equipment", "Interbank credit", "Mobile operator loan",
        "Loan for purchase of shares (margin lending)"]),
    days("DAYS_CREDIT"), days("DAYS_CREDIT_ENDDATE", ahead=60_000), days("DAYS_ENDDATE_FACT", ahead=60_000),
    days("DAYS_CREDIT_UPDATE", ahead=60_000), whole("CREDIT_DAY_OVERDUE"), whole("CNT_CREDIT_PROLONG"),
    *map(amount, ("AMT_CREDIT_MAX_OVERDUE", "AMT_CREDIT_SUM", "AMT_CREDIT_SUM_DEBT", "AMT_CREDIT_SUM_LIMIT",
                  "AMT_CREDIT_SUM_OVERDUE", "AMT_ANNUITY")),
], by=CLIENT, unique=CREDIT)  # fmt: skip

bureau_balance = Child("bureau_balance", [
    Key(CREDIT, whole=True), months(MONTH),
    kind("STATUS", ["C", "X", "0", "1", "2", "3", "4", "5"]),  # closed, unknown, months in arrears
], by=CREDIT, of=bureau, unique=(CREDIT, MONTH), most_rows=20_000)  # fmt: skip

previous = Child("previous_application", [
    Key(EARLIER, whole=True), Key(CLIENT, whole=True),
    kind("NAME_CONTRACT_TYPE", ["Cash loans", "Consumer loans", "Revolving loans"]),
    kind("NAME_CONTRACT_STATUS", ["Approved", "Canceled", "Refused", "Unused offer"]),
    kind("WEEKDAY_APPR_PROCESS_START", WEEKDAYS), whole("HOUR_APPR_PROCESS_START", 0, 24),
    kind("FLAG_LAST_APPL_PER_CONTRACT", YES_NO), whole("NFLAG_LAST_APPL_IN_DAY", 0, 1),
    whole("NFLAG_INSURED_ON_APPROVAL", 0, 1),
    kind("NAME_CASH_LOAN_PURPOSE", ["Repairs", "Urgent needs", "Car repairs", "Building a house or an annex",
                                    "Medicine", "Everyday expenses", "Payments on other loans", "Education", "Other"]),
    kind("NAME_PAYMENT_TYPE", ["Cash through the bank", "Non-cash from your account",
                               "Cashless from the account of the employer"]),
    kind("CODE_REJECT_REASON", ["HC", "LIMIT", "SCO", "SCOFR", "CLIENT", "SYSTEM", "VERIF"]),
    kind("NAME_TYPE_SUITE", ["Unaccompanied", "Family", "Spouse, partner", "Children", "Other_A", "Other_B",
                             "Group of people"]),
    kind("NAME_CLIENT_TYPE", ["New", "Repeater", "Refreshed"]),
    kind("NAME_GOODS_CATEGORY", ["Mobile", "Consumer Electronics", "Computers", "Audio/Video", "Furniture",
                                 "Photo / Cinema Equipment", "Construction Materials", "Clothing and Accessories"]),
    kind("NAME_PORTFOLIO", ["POS", "Cash", "Cards", "Cars"]), kind("NAME_PRODUCT_TYPE", ["x-sell", "walk-in"]),
    kind("CHANNEL_TYPE", ["Credit and cash offices", "Country-wide", "Stone", "Regional / Local", "Contact center",
                          "AP+ (Cash loan)", "Channel of corporate sales", "Car dealer"]),
    kind("NAME_SELLER_INDUSTRY", ["Consumer electronics", "Connectivity", "Furniture", "Construction", "Clothing",
                                  "Industry", "Auto technology", "Jewelry", "MLM partners", "Tourism"]),
    kind("NAME_YIELD_GROUP", ["low_action", "low_normal", "middle", "high"]),
    kind("PRODUCT_COMBINATION", [
        "Cash", "Cash Street: high", "Cash Street: low", "Cash Street: middle", "Cash X-Sell: high",
        "Cash X-Sell: low", "Cash X-Sell: middle", "POS household with interest", "POS household without interest",
        "POS mobile with interest", "POS mobile without interest", "POS industry with interest",
        "POS industry without interest", "POS other with interest", "POS others without interest", "Card Street",
        "Card X-Sell"]),
    *map(amount, ("AMT_ANNUITY", "AMT_APPLICATION", "AMT_CREDIT", "AMT_DOWN_PAYMENT", "AMT_GOODS_PRICE")),
    *map(part, ("RATE_DOWN_PAYMENT", "RATE_INTEREST_PRIMARY", "RATE_INTEREST_PRIVILEGED")),
    whole("SELLERPLACE_AREA", -1, 100_000_000), whole("CNT_PAYMENT"), days("DAYS_DECISION"),
    *(days(f"DAYS_{what}", ahead=60_000)
      for what in ("FIRST_DRAWING", "FIRST_DUE", "LAST_DUE_1ST_VERSION", "LAST_DUE", "TERMINATION")),
], by=CLIENT, unique=EARLIER, derived=[minus("AMT_APPLICATION", "AMT_CREDIT", name="REDUCED")])  # fmt: skip

pos_cash = Child("POS_CASH_balance", [
    Key(EARLIER, whole=True), Key(CLIENT, whole=True), months(MONTH),
    *map(whole, ("CNT_INSTALMENT", "CNT_INSTALMENT_FUTURE", "SK_DPD", "SK_DPD_DEF")),
    kind("NAME_CONTRACT_STATUS", STATUSES),
], by=CLIENT, unique=(EARLIER, MONTH))  # fmt: skip

credit_card = Child("credit_card_balance", [
    Key(EARLIER, whole=True), Key(CLIENT, whole=True), months(MONTH),
    *map(amount, (
        "AMT_BALANCE", "AMT_CREDIT_LIMIT_ACTUAL", "AMT_DRAWINGS_ATM_CURRENT", "AMT_DRAWINGS_CURRENT",
        "AMT_DRAWINGS_OTHER_CURRENT", "AMT_DRAWINGS_POS_CURRENT", "AMT_INST_MIN_REGULARITY", "AMT_PAYMENT_CURRENT",
        "AMT_PAYMENT_TOTAL_CURRENT", "AMT_RECEIVABLE_PRINCIPAL", "AMT_RECIVABLE", "AMT_TOTAL_RECEIVABLE")),
    *(whole(f"CNT_DRAWINGS_{how}CURRENT") for how in ("ATM_", "", "OTHER_", "POS_")),
    *map(whole, ("CNT_INSTALMENT_MATURE_CUM", "SK_DPD", "SK_DPD_DEF")), kind("NAME_CONTRACT_STATUS", STATUSES),
], by=CLIENT, unique=(EARLIER, MONTH))  # fmt: skip

# one instalment may be paid in parts, so nothing names a row
installments = Child("installments_payments", [
    Key(EARLIER, whole=True), Key(CLIENT, whole=True),
    whole("NUM_INSTALMENT_VERSION"), whole("NUM_INSTALMENT_NUMBER"),
    *(Integer(name, at_least=-60_000, at_most=0, optional=True) for name in ("DAYS_INSTALMENT", "DAYS_ENTRY_PAYMENT")),
    amount("AMT_INSTALMENT"), amount("AMT_PAYMENT"),
], by=CLIENT, derived=[
    minus("DAYS_ENTRY_PAYMENT", "DAYS_INSTALMENT", name="DAYS_LATE"),
    minus("AMT_INSTALMENT", "AMT_PAYMENT", name="UNPAID"),
])  # fmt: skip
children = [bureau, bureau_balance, previous, pos_cash, credit_card, installments]
