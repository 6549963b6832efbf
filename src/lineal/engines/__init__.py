"""How work is done in bounded memory: tensors streamed through methods, models trained, run and compared."""
