"""Labels as they come from files, and as a ledger."""
