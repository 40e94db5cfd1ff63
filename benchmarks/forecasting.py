"""What the forecast adds to an answer: the controller with and without it, in turns, on one database."""

ANSWERS = 400
