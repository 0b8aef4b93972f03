"""Sygen: a self-hosted, end-to-end encrypted gateway between a person and their AI agents."""

__version__ = "0.1.0"
