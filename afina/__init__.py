"""Afina finds the best prompt for a task on a frozen model."""
