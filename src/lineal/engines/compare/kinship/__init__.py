"""Which models weights of unknown origin come from: windows of both are compared, and what they say is judged."""
