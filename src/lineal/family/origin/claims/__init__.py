"""What files beside the weights claim of a model's origin: recipes, adapter configs and cards."""
