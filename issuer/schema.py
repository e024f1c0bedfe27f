"""The tables of the issuer's store.

Columns named `sealed` hold AES-256-GCM boxes (see `issuer.sealing`); everything else in a row is
readable by whoever can read the file, so it holds states, dates, digests and list positions, and
of a person only the masked name that the operator's list shows. Times are xsd:dateTime texts with
`Z`, which sort as they read.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = "1"

metadata = MetaData()

facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

applications = Table(
    "applications",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),  # online | counter
    Column("state", Text, nullable=False),  # waiting | approved | offered | refused | issued
    Column("reason", Text),  # why refused: a code, never a value
    Column("masked_name", Text, nullable=False),
    Column("person_tag", LargeBinary, nullable=False),  # keyed tag of the citizen number
    Column("holder_key", Text),  # multikey; set for online applications
    Column("created", Text, nullable=False),
    Column("updated", Text, nullable=False),
    Column("asked", Integer, nullable=False, default=0),  # times the authority was asked in vain
    Column("next_ask", Text),
    Column("authority", Text),  # DID that answered
    Column("checked_at", Text),
    Column("reply_digest", Text),
    Column("reply", Text),  # the signed answer itself: a yes or no that names no person
    Column("sealed", LargeBinary, nullable=False),
    Index("applications_by_state", "state", "next_ask"),
    Index("applications_by_creation", "created"),
    Index("applications_by_person", "person_tag", "created"),
)

# jti of applications and nonces of key proofs that were used, until they would be stale anyway.
spent = Table(
    "spent",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires", Text, nullable=False),
    Index("spent_by_expiry", "expires"),
)

offers = Table(
    "offers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("application", Text, nullable=False),
    Column("code_digest", LargeBinary, nullable=False, unique=True),
    Column("tx_tag", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),  # open | used | locked | withdrawn | lapsed
    Column("failures", Integer, nullable=False, default=0),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the offer text, so that it can be shown again
    Index("offers_by_application", "application"),
    Index("offers_by_state", "state", "expires"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("application", Text, nullable=False),
    Column("offer", Text, nullable=False),
    Column("expires", Text, nullable=False),
    Column("credential", Text),
    Index("tokens_by_expiry", "expires"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("application", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("state", Text, nullable=False),  # active | suspended | revoked
    Column("reason", Text),
    Column("masked_name", Text, nullable=False),
    Column("holder_tag", LargeBinary, nullable=False),  # keyed tag of the holder's key
    Column("created", Text, nullable=False),
    Column("updated", Text, nullable=False),
    Column("valid_from", Text, nullable=False),
    Column("valid_until", Text, nullable=False),
    Column("anchor", Text, nullable=False),
    Column("revocation_list", Integer, nullable=False),
    Column("revocation_index", Integer, nullable=False),
    Column("suspension_list", Integer, nullable=False),
    Column("suspension_index", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    UniqueConstraint("revocation_list", "revocation_index"),
    UniqueConstraint("suspension_list", "suspension_index"),
    Index("credentials_by_state", "state"),
    Index("credentials_by_creation", "created"),
)

status_lists = Table(
    "status_lists",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("purpose", Text, nullable=False),  # revocation | suspension
    Column("url", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("used", Integer, nullable=False, default=0),
    Column("bits", Text, nullable=False),  # as in encodedList
    Column("dirty", Boolean, nullable=False),  # the signed document is older than the bits
    Column("document", Text),
    Column("digest", Text),
    Column("signed", Text),
)

# What must reach the registry. A row is written in the transaction of what it speaks of.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # anchor | status
    Column("subject", Text, nullable=False),  # credential id, or number of the status list
    Column("origin", Text, nullable=False),
    Column("entry", Text, nullable=False),  # JCS of the entry, fixed when written: idempotent
    Column("state", Text, nullable=False),  # pending | done | superseded
    Column("attempts", Integer, nullable=False, default=0),
    Column("last_error", Text),
    Column("position", Integer),  # index on the side chain
    Column("created", Text, nullable=False),
    Column("done", Text),
    Index("outbox_by_state", "state", "id"),
    Index("outbox_by_subject", "kind", "subject"),
)

journal = Table(
    "journal",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("time", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("reason", Text),
    Column("previous", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False),
)
