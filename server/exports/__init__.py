"""Rows and maps leaving the house. Nothing here knows of a request: pages, programs and commands call it alike."""
