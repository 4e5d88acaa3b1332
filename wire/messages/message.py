"""How a message dataclass and its schema belong together, and how any message becomes JSON and comes back.

Strict both ways: unknown fields are refused, nothing is guessed, and errors name fields, never values.
"""

import json
from typing import Any, ClassVar, Generic, TypeVar

from marshmallow import RAISE, Schema, ValidationError, post_load

from wire.strict_json import InvalidJson, parse_json

Message = TypeVar("Message")

_SCHEMAS: dict[type, type["MessageSchema[Any]"]] = {}


class InvalidMessage(Exception):
    """Bytes from another party are not the message expected; `errors` maps JSON pointers to what was wrong."""

    def __init__(self, name: str, errors: dict[str, str]) -> None:
        places = "; ".join(f"{pointer or '/'}: {detail}" for pointer, detail in list(errors.items())[:5])
        super().__init__(f"not a valid {name}: {places}")
        self.errors = errors


class MessageSchema(Schema, Generic[Message]):
    """The schema of one message dataclass, named by `message_class`; loading gives an instance of it."""

    message_class: ClassVar[type]

    class Meta:
        """No schema lets an unknown field pass."""

        unknown = RAISE

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "message_class" in cls.__dict__:
            _SCHEMAS[cls.message_class] = cls

    @post_load
    def build(self, data: dict[str, Any], **kwargs: Any) -> Any:
        """Make the dataclass of the fields just loaded; lists become tuples, since messages do not change."""
        return self.message_class(
            **{name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        )


def schema_of(message_class: type[Message]) -> MessageSchema[Message]:
    """Return a schema instance for a message dataclass."""
    return _SCHEMAS[message_class]()


def encode_message(message: object) -> bytes:
    """Return the JSON bytes of a message."""
    return json.dumps(schema_of(type(message)).dump(message), separators=(",", ":")).encode()


def decode_message(message_class: type[Message], body: bytes) -> Message:
    """Return the message that `body` holds. Raises InvalidMessage."""
    try:
        loaded: Message = schema_of(message_class).load(parse_json(body))  # type: ignore[arg-type]
    except InvalidJson as error:
        raise InvalidMessage(message_class.__name__, {"": str(error)}) from None
    except ValidationError as error:
        raise InvalidMessage(message_class.__name__, pointers(error.messages)) from None
    return loaded


def pointers(messages: Any, prefix: str = "") -> dict[str, str]:
    """Return marshmallow's nested error messages as JSON pointers (RFC 6901) to texts, at most 20 of them.

    Names that the sender chose are shown only where they look like field names.
    """
    found: dict[str, str] = {}
    stack: list[tuple[str, Any]] = [(prefix, messages)]
    while stack and len(found) < 20:
        place, node = stack.pop()
        if isinstance(node, dict):
            stack.extend((f"{place}/{_shown(name)}", inner) for name, inner in reversed(list(node.items())))
        elif isinstance(node, list):
            found[place.removesuffix("/_schema")] = " ".join(str(part) for part in node)
        else:
            found[place.removesuffix("/_schema")] = str(node)
    return found


def _shown(name: object) -> str:
    text = str(name)
    return text if len(text) <= 64 and text.isascii() and text.replace("_", "").isalnum() else "?"
