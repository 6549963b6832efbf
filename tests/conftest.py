"""What holds for every test: hypothesis draws the same examples everywhere, and takes its time."""

import hypothesis

hypothesis.settings.register_profile("lineal", deadline=None, derandomize=True, database=None, max_examples=60)
hypothesis.settings.load_profile("lineal")
