"""How fast, and how patiently."""
