"""PEFT adapters on disk: which weights they change, by what scale, and which layers their config chooses."""
