"""The database that keeps a registry: its tables, its transactions, and what differs between databases."""
