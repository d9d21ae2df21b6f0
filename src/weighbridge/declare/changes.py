"""What a source may change from one time to the next, and the verdict on each kind of change."""

from __future__ import annotations

ACCEPTED, WARNED, REFUSED = "accepted", "warned", "refused"

VERDICTS = {
    "column_added": ACCEPTED,
    "columns_reordered": ACCEPTED,
    "type_widened": ACCEPTED,
    "optional_removed": WARNED,
    "type_narrowed": WARNED,
    "category_added": WARNED,
    "nulls_in_required": WARNED,
    "required_removed": REFUSED,
    "column_renamed": REFUSED,
    "column_duplicated": REFUSED,
    "text_for_number": REFUSED,
    "scale_shifted": REFUSED,
    "time_form_changed": REFUSED,
    "key_form_changed": REFUSED,
}
MAY_BE_ACCEPTED = ("text_for_number", "scale_shifted", "time_form_changed", "key_form_changed")

MOSTLY = 0.5  # of the values that are there: less is a matter of rows, which become rejects
SHIFT = 30.0  # times the median of last time, or its part
FEW = 30  # values below which no median and no form is compared
ALIKE = 0.7  # of 1: two columns hold the same
