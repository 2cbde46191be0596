"""Networks, and their weights from where users have them."""
