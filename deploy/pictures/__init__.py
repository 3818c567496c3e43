"""Pictures: graphs, waves, foldings, thresholds."""
