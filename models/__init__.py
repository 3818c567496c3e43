"""Networks, data and training (torch and Brevitas only)."""
