"""Models that are run: opened by transformers and PEFT, evaluated, and continuing a text."""
