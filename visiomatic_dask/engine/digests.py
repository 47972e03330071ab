"""Digests: what keys of tasks and tokens of answers are made of."""

from __future__ import annotations

import hashlib


def digest(text: str) -> str:
    """32 hexadecimal digits of a text (BLAKE2b, RFC 7693)."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
