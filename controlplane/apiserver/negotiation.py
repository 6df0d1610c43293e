"""What an Accept header asks for, in the order in which upstream would look at it."""

from __future__ import annotations

from dataclasses import dataclass, field

META = "meta.k8s.io"
VERSIONS = ("v1", "v1beta1")


@dataclass(frozen=True, slots=True)
class Clause:
    """One form that the client would take, and how much it likes it."""

    type: str
    subtype: str
    parameters: dict[str, str] = field(default_factory=dict)
    quality: float = 1.0

    def takes(self, media: str) -> bool:
        """Whether a media type would do."""
        type_, _, subtype = media.partition("/")
        if self.type == "*":
            return self.subtype == "*"
        return self.type == type_ and self.subtype in ("*", subtype)

    @property
    def conversion(self) -> tuple[str, str, str] | None:
        """Group, version and kind that objects shall be turned into; None for none."""
        asked = self.parameters
        if not asked.keys() & {"as", "g", "v"}:
            return None
        return asked.get("g", ""), asked.get("v", ""), asked.get("as", "")

    @property
    def possible(self) -> bool:
        """Whether all that matters of the parameters can be had."""
        return self.parameters.get("stream") in (None, "", "watch") and self.parameters.get("sv") in (None, "", "v1")


def clauses(accept: str) -> list[Clause]:
    """The header's clauses, best first; those that make no sense are left out."""
    found = [clause for part in accept.split(",") if (clause := _clause(part)) is not None]
    for index in range(1, len(found)):  # by insertion: the order of upstream's comparison is no order for any other way
        while index > 0 and _before(found[index], found[index - 1]):
            found[index], found[index - 1] = found[index - 1], found[index]
            index -= 1
    return found


def _clause(part: str) -> Clause | None:
    media, *parameters = (piece.strip() for piece in part.split(";"))
    type_, slash, subtype = media.partition("/")
    if not slash and media != "*":
        return None
    asked, quality = {}, 1.0
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if not equals:
            continue
        if name.strip() == "q":
            quality = _quality(value.strip())
        else:
            asked[name.strip()] = value.strip()
    return Clause(type_.strip(), subtype.strip() or "*", asked, quality)


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return value if value == value else 1.0


def _before(one: Clause, other: Clause) -> bool:
    if one.quality > other.quality:
        return True
    if one.type != "*" and other.type == "*":
        return True
    return one.subtype != "*" and other.subtype == "*"
