"""Names of files as they travel: which are taken, how they are shown, what a part is called.

Not for the file system: :mod:`peer.io.transfer.folder` opens what passes here, and trusts nothing
that it finds there either.

A name is a path relative to the receiver's folder, its components joined by ``/``. A backslash is
an ordinary character, as it is on Linux.
"""

from __future__ import annotations

import hashlib
import unicodedata

from rendezvous.protocol.errors import ProtocolError

COMPONENT_MAX = 255
"""Most bytes of UTF-8 in a component: NAME_MAX of Linux (limits.h)."""
PATH_MAX = 4096
"""Most bytes of UTF-8 in a name: PATH_MAX of Linux (limits.h)."""
DEPTH_MAX = 128
"""Most components: a path walked by descriptors is not limited by the kernel."""
PART_END = ".midair-part"
"""What names of incomplete files end with; they begin with a dot."""


class NameRefusedError(ProtocolError):
    """A name that could lead out of the folder, or that nobody could see for what it is."""


def components(name: str) -> list[str]:
    """Split a name, and refuse it unless each component is an ordinary one.

    Args:
        name: as it came.

    Returns:
        At least one component.

    Raises:
        NameRefusedError: it is absolute, empty, too long, or has a component that is empty,
            ``.``, ``..``, reserved for parts, or holds control characters or half a surrogate.
    """
    parts = name.split("/")
    why = _why_not(name, parts)
    if why:
        raise NameRefusedError(f"the name {shown(name)} is refused: {why}")
    return parts


def _why_not(name: str, parts: list[str]) -> str:
    try:
        sizes = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        return "it is not Unicode"
    if name.startswith("/"):
        return "it is absolute"
    if len(parts) > DEPTH_MAX or sum(sizes) + len(parts) > PATH_MAX or max(sizes) > COMPONENT_MAX:
        return "it is too long"
    if any(part in ("", ".", "..") for part in parts):
        return "a part of it is empty, . or .."
    if any(unicodedata.category(char) == "Cc" for char in name):
        return "it holds control characters"
    if any(is_part(part) for part in parts):
        return "such names are kept for incomplete files"
    return ""


def is_part(component: str) -> bool:
    """Tell whether a name is reserved for an incomplete file."""
    return component.startswith(".") and component.endswith(PART_END)


def part_of(component: str) -> str:
    """Return the name, in the same folder, under which a file is kept until it is complete.

    Args:
        component: the last of the file's name.
    """
    name = f".{component}{PART_END}"
    if len(name.encode()) <= COMPONENT_MAX:
        return name
    return f".{hashlib.sha256(component.encode()).hexdigest()}{PART_END}"


def shown(name: str) -> str:
    """Return a name for a terminal: what is not printable is escaped, and it has an end.

    Args:
        name: any text, also with lone surrogates.
    """
    text = name if len(name) <= 200 else f"{name[:200]}…"
    # Printable leaves out control, format (text direction) and surrogate characters.
    plain = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
    return plain or "(empty)"
