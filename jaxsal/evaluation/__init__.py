"""Explaining and measuring many clips: the plan, the runner, the store and the results."""
