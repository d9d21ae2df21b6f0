"""What history would have been under another policy or bundle."""
