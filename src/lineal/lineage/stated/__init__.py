"""What people state of models: taints, policies, stages, recipes, parents that nobody has brought."""
