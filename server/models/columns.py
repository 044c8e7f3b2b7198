"""Column types that several tables share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, func
from sqlalchemy.orm import mapped_column

Key = Annotated[int, mapped_column(BigInteger, Identity(), primary_key=True)]
"""A surrogate key handed out by the database."""

CreatedAt = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.now(), nullable=False)]
"""When the row was written."""

Time = Annotated[datetime, mapped_column(DateTime(timezone=True))]
"""An instant, kept in UTC."""

Sha256 = Annotated[bytes, mapped_column(LargeBinary(32))]
"""A SHA-256 digest, 32 raw bytes."""
