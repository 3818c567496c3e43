"""The compiler: one file per verb, in flow order."""
