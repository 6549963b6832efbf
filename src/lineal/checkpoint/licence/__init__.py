"""The licence that is stated beside weights."""
