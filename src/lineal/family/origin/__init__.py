"""Models that came from elsewhere: added, imported from what cards claim, or placed by their weights."""
