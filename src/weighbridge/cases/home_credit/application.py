"""The application: what a client and the credit it asks for look like. 121 columns, and TARGET beside them."""

from weighbridge.cases.home_credit.columns import WEEKDAYS, YES_NO, amount, days, kind, part, whole
from weighbridge.declare import Contract, Id, Number

MEASURES = (
    "APARTMENTS", "BASEMENTAREA", "YEARS_BEGINEXPLUATATION", "YEARS_BUILD", "COMMONAREA", "ELEVATORS", "ENTRANCES",
    "FLOORSMAX", "FLOORSMIN", "LANDAREA", "LIVINGAPARTMENTS", "LIVINGAREA", "NONLIVINGAPARTMENTS", "NONLIVINGAREA",
)  # fmt: skip
HOUSE = [f"{measure}_{how}" for how in ("AVG", "MODE", "MEDI") for measure in MEASURES] + ["TOTALAREA_MODE"]
PHONES = ["FLAG_MOBIL", "FLAG_EMP_PHONE", "FLAG_WORK_PHONE", "FLAG_CONT_MOBILE", "FLAG_PHONE", "FLAG_EMAIL"]
PLACES = [
    "REG_REGION_NOT_LIVE_REGION", "REG_REGION_NOT_WORK_REGION", "LIVE_REGION_NOT_WORK_REGION",
    "REG_CITY_NOT_LIVE_CITY", "REG_CITY_NOT_WORK_CITY", "LIVE_CITY_NOT_WORK_CITY",
]  # fmt: skip
DOCUMENTS = [f"FLAG_DOCUMENT_{number}" for number in range(2, 22)]
CIRCLE = [f"{what}_{past}_CNT_SOCIAL_CIRCLE" for past in (30, 60) for what in ("OBS", "DEF")]
ENQUIRIES = [f"AMT_REQ_CREDIT_BUREAU_{span}" for span in ("HOUR", "DAY", "WEEK", "MON", "QRT", "YEAR")]
SOURCES = ["EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3"]

KINDS = {
    "NAME_CONTRACT_TYPE": ["Cash loans", "Revolving loans"],
    "CODE_GENDER": ["F", "M"],
    "FLAG_OWN_CAR": YES_NO,
    "FLAG_OWN_REALTY": YES_NO,
    "NAME_TYPE_SUITE": ["Unaccompanied", "Family", "Spouse, partner", "Children", "Other_A", "Other_B",
                        "Group of people"],
    "NAME_INCOME_TYPE": ["Working", "Commercial associate", "Pensioner", "State servant", "Unemployed", "Student",
                         "Businessman", "Maternity leave"],
    "NAME_EDUCATION_TYPE": ["Lower secondary", "Secondary / secondary special", "Incomplete higher",
                            "Higher education", "Academic degree"],
    "NAME_FAMILY_STATUS": ["Married", "Single / not married", "Civil marriage", "Separated", "Widow", "Unknown"],
    "NAME_HOUSING_TYPE": ["House / apartment", "With parents", "Municipal apartment", "Rented apartment",
                          "Office apartment", "Co-op apartment"],
    "OCCUPATION_TYPE": ["Laborers", "Sales staff", "Core staff", "Managers", "Drivers", "High skill tech staff",
                        "Accountants", "Medicine staff", "Security staff", "Cooking staff", "Cleaning staff",
                        "Private service staff", "Low-skill Laborers", "Waiters/barmen staff", "Secretaries",
                        "Realty agents", "HR staff", "IT staff"],
    "WEEKDAY_APPR_PROCESS_START": WEEKDAYS,
    "ORGANIZATION_TYPE": [
        *(f"Business Entity Type {n}" for n in range(1, 4)), *(f"Industry: type {n}" for n in range(1, 14)),
        *(f"Trade: type {n}" for n in range(1, 8)), *(f"Transport: type {n}" for n in range(1, 5)),
        "Advertising", "Agriculture", "Bank", "Cleaning", "Construction", "Culture", "Electricity", "Emergency",
        "Government", "Hotel", "Housing", "Insurance", "Kindergarten", "Legal Services", "Medicine", "Military",
        "Mobile", "Other", "Police", "Postal", "Realtor", "Religion", "Restaurant", "School", "Security",
        "Security Ministries", "Self-employed", "Services", "Telecom", "University"],
    "FONDKAPREMONT_MODE": ["reg oper account", "org spec account", "reg oper spec account", "not specified"],
    "HOUSETYPE_MODE": ["block of flats", "terraced house", "specific housing"],
    "WALLSMATERIAL_MODE": ["Panel", "Stone, brick", "Block", "Wooden", "Mixed", "Monolithic", "Others"],
    "EMERGENCYSTATE_MODE": ["No", "Yes"],
}  # fmt: skip

application = Contract("application", [
    Id("SK_ID_CURR", whole=True, description="number of the application"),
    *(kind(name, values) for name, values in KINDS.items()),
    whole("CNT_CHILDREN"), whole("CNT_FAM_MEMBERS"),
    *map(amount, ("AMT_INCOME_TOTAL", "AMT_CREDIT", "AMT_ANNUITY", "AMT_GOODS_PRICE")),
    Number("REGION_POPULATION_RELATIVE", at_least=0, at_most=1, decimals=6, optional=True),
    *map(days, ("DAYS_BIRTH", "DAYS_EMPLOYED", "DAYS_REGISTRATION", "DAYS_ID_PUBLISH", "DAYS_LAST_PHONE_CHANGE")),
    Number("OWN_CAR_AGE", at_least=0, at_most=1_000, decimals=1, optional=True),
    whole("REGION_RATING_CLIENT", -1, 10), whole("REGION_RATING_CLIENT_W_CITY", -1, 10),
    whole("HOUR_APPR_PROCESS_START", 0, 24),
    *(whole(name, 0, 1) for name in (*PHONES, *PLACES, *DOCUMENTS)),
    *map(part, (*SOURCES, *HOUSE)),
    *map(whole, (*CIRCLE, *ENQUIRIES)),
])  # fmt: skip
