"""What the built-in models never saw in training: they are measured on these."""

CATEGORIES = ("metal", "instrument", "flower", "insect", "dish")  # of recipes.words
RELATIONS = ("several of it", "woman of the kind")
EDITS = ("second to last word", "without the first word")
SETS = ("subj", "uci_sentiment", "snips", "banking77")  # of ../shared/data, with all of their rows
