"""Corrupted versions of bytes, text and numbers."""

import re
import struct
from collections.abc import Sequence
from random import Random

EDGES = (
    *(0, 1, 2, 3, 4, 7, 8, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 65535, 65536),
    *(10**6, 2**24, 2**30, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 2**40, 2**62, 2**63 - 1),
    *(2**63, 2**64 - 1),
)
"""Integers at which errors are common."""

_FIELDS = ("<B", "<H", ">H", "<I", ">I", "<Q", ">Q")
_MOST_EDITS = 6
_LONGEST_INSERT = 64

_TOKEN = re.compile(r"[-+.\w]+|[^\s\w]")
_HOSTILE_TOKENS = (
    *("0", "-1", "1e999", "-1e999", ".inf", "-.inf", ".nan", "nan", "inf", "1e-320", "0x7f"),
    *("99999999999999999999", "9" * 400, "1_000", "1:30", "true", "null", "~", "''", "'", '"'),
    *("[]", "{}", "[", "]", "{", "}", ":", "- ", "#", "|", ">", "*", "&", "!", "%", "@", "`"),
    *("&a [*a]", "*a", "&a {b: *a}", "<<: 1", "? a", "---", "...", "\t", "\x00", "\x85", "\xff"),
    *("2001-01-01", "2001-02-31 25:61:61", "!!binary x", "!!int x", "!!float x", "!!set {a}"),
    *("!!python/object/apply:os.getcwd []", "[" * 700, "{a: " * 700, "- " * 700, "a" * 3000),
)


def mutate_bytes(sample: bytes, random: Random, samples: Sequence[bytes]) -> bytes:
    """Corrupt bytes: flip bits, change numbers, remove, repeat or exchange pieces."""
    content = bytearray(sample)
    for _ in range(random.randint(1, _MOST_EDITS)):
        _BYTE_EDITS[random.randrange(len(_BYTE_EDITS))](content, random, samples)
    return bytes(content)


def mutate_text(sample: str, random: Random, samples: Sequence[str]) -> str:
    """Corrupt a text: exchange words for special ones, remove or repeat lines."""
    text = sample
    for _ in range(random.randint(1, _MOST_EDITS)):
        edit = _replace_token if random.random() < 0.7 else _edit_lines
        text = edit(text, random)
    return text


def edge(random: Random, most: int) -> int:
    """Return an integer of 0 to `most`, often one at which errors are common."""
    if random.random() < 0.3:
        return random.randint(0, most)
    return random.choice([value for value in EDGES if value <= most])


def _flip_bit(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if content:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)


def _set_byte(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if content:
        content[random.randrange(len(content))] = random.choice((0, 1, 127, 128, 255))


def _set_number(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    field = random.choice(_FIELDS)
    size = struct.calcsize(field)
    if len(content) >= size:
        value = edge(random, 256**size - 1)
        struct.pack_into(field, content, random.randrange(len(content) - size + 1), value)


def _cut(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    del content[random.randint(0, len(content)) :]


def _remove(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin, end = _piece(content, random)
    del content[begin:end]


def _repeat(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin, end = _piece(content, random)
    content[end:end] = content[begin:end]


def _insert(content: bytearray, random: Random, _: Sequence[bytes]) -> None:
    begin = random.randint(0, len(content))
    content[begin:begin] = random.randbytes(random.randint(1, _LONGEST_INSERT))


def _splice(content: bytearray, random: Random, samples: Sequence[bytes]) -> None:
    begin, end = _piece(content, random)
    other = random.choice(samples)
    first, last = _piece(other, random)
    content[begin:end] = other[first:last]


_BYTE_EDITS = (
    *(_flip_bit, _set_byte, _set_number, _set_number),
    *(_cut, _remove, _repeat, _insert, _splice),
)


def _piece(content: bytes | bytearray, random: Random) -> tuple[int, int]:
    """Return the start and end of a piece, mostly a short one."""
    begin = random.randint(0, len(content))
    longest = len(content) - begin
    length = random.randint(0, longest if random.random() < 0.2 else min(longest, 32))
    return begin, begin + length


def _replace_token(text: str, random: Random) -> str:
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    begin, end = random.choice(tokens) if tokens else (0, 0)
    return text[:begin] + random.choice(_HOSTILE_TOKENS) + text[end:]


def _edit_lines(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            lines[at] = " " * random.randint(0, 4) + lines[at].lstrip()
    return "".join(lines)
