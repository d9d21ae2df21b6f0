"""What is known of a bundle on its way to production, and the bounds it is held against."""
