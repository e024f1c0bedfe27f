"""The one text of a JSON value (RFC 8785), for signatures and digests over JSON."""

from __future__ import annotations

from typing import Any

import rfc8785

from credentials.errors import JsonEncoding, JsonMalformed, JsonNumber, LimitExceeded
from credentials.limits import MAX_JSON_DEPTH


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 form of a JSON `value`.

    Raises JsonEncoding, JsonNumber, JsonMalformed (not JSON at all), LimitExceeded.
    """
    try:
        return rfc8785.dumps(value)
    except UnicodeEncodeError:
        raise JsonEncoding from None
    except RecursionError:
        raise LimitExceeded(what="nesting of the JSON text", limit=MAX_JSON_DEPTH) from None
    except (rfc8785.FloatDomainError, rfc8785.IntegerDomainError):
        raise JsonNumber from None
    except rfc8785.CanonicalizationError as error:
        if isinstance(error.__cause__, UnicodeEncodeError) or isinstance(
            error.__context__, UnicodeEncodeError
        ):
            raise JsonEncoding from None
        raise JsonMalformed(reason="it holds something that JSON has no form for") from None
