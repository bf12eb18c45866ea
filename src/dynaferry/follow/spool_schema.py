"""The tables of a spool: see `spool` for what they are for."""

from typing import Final

APPLICATION_ID: Final = 0x64796673  # "dyfs"
SPOOL_VERSION: Final = 2

SCHEMA: Final = """
CREATE TABLE spool (
    id TEXT NOT NULL,
    stream TEXT,
    begun_at REAL,
    alive_at REAL,
    captured INTEGER NOT NULL DEFAULT 0,
    compacted INTEGER NOT NULL DEFAULT 0,
    applied INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    arrival INTEGER NOT NULL DEFAULT 0,
    is_clean INTEGER NOT NULL DEFAULT 1,
    compared_since INTEGER,
    status BLOB
);
CREATE TABLE changes (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    arrival INTEGER NOT NULL,
    first_at REAL NOT NULL,
    kind INTEGER NOT NULL,
    image BLOB,
    checksum INTEGER NOT NULL
);
CREATE INDEX keys_to_read_again ON changes (number) WHERE kind = 2;
CREATE TABLE shards (
    shard TEXT PRIMARY KEY,
    parent TEXT,
    state INTEGER NOT NULL,
    sequence TEXT,
    ending TEXT,
    since REAL NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE doubts (digest BLOB PRIMARY KEY, key BLOB NOT NULL, until REAL NOT NULL);
CREATE TABLE letters (
    digest BLOB PRIMARY KEY,
    key BLOB NOT NULL,
    item BLOB NOT NULL,
    error_code TEXT NOT NULL,
    error_message TEXT NOT NULL,
    time REAL NOT NULL
);
CREATE TABLE gaps (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    shard TEXT NOT NULL,
    why TEXT NOT NULL,
    mended_at REAL
);
CREATE TABLE states (number INTEGER PRIMARY KEY, at REAL NOT NULL, state TEXT NOT NULL);
CREATE TABLE samples (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    lag REAL,
    captured INTEGER NOT NULL,
    out INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
"""
