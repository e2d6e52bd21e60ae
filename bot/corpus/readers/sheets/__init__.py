"""Workbooks and separated text."""
