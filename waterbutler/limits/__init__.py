"""Rate limits: how many requests who may make, and where that is counted."""

from waterbutler.limits.addresses import network_of
from waterbutler.limits.limiter import Limiter, LimitsUnavailable, Policy, Shown, Ticket, WhenDown
from waterbutler.limits.memory import MemoryStore
from waterbutler.limits.rate import Rate, Verdict
from waterbutler.limits.redis import RedisStore
from waterbutler.limits.store import Breaker, Store, StoreDown

__all__ = [
    "Breaker",
    "Limiter",
    "LimitsUnavailable",
    "MemoryStore",
    "Policy",
    "Rate",
    "RedisStore",
    "Shown",
    "Store",
    "StoreDown",
    "Ticket",
    "Verdict",
    "WhenDown",
    "network_of",
]
