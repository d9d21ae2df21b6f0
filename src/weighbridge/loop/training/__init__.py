"""What a training is made of: its rows, its candidates, their measures, and what is kept of them."""
