"""What a run shows over HTTP: metrics, health, the live page."""
