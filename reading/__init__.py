"""How a text is read: its words, sentences, key terms and mentions, and what about it does not deserve its scores."""
