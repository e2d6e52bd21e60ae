"""The Content-Security-Policy of every response: our own files and nothing else, in nobody's frame."""

from __future__ import annotations


def policy(frame_ancestors: str = "'none'") -> str:
    """The header's value; `frame_ancestors` are the origins whose pages may frame the response."""
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        f"base-uri 'none'; form-action 'self'; frame-ancestors {frame_ancestors}"
    )
