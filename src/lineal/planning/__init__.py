"""What it will cost: rules of thumb by paradigm, labelled as such wherever they are shown."""
