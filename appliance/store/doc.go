// Package store keeps the house in one SQLite file. It is the only place with SQL.
//
// # The way of a change
//
// [Store.Write] takes what the hall decided and makes it durable in one transaction: every row, checked against the
// version it was decided on, the audit row with its place in the hash chain, and the answer that a repetition of the
// request will get. When it returns nil, all of it survives kill -9 and a power cut (WAL, synchronous=FULL). When it
// returns an error, none of it happened: nothing is ever half done, and the store can be used again as soon as the
// disk can. (One thing no program can promise: when the disk fails the write, fails the mark that voids it, and the box dies
// before the next attempt, a restart may find the refused change whole.)
//
// # Connections
//
// There is one writing connection, taken in turn, and a pool that can only read. The settings are part of each
// connection's opening, never a statement run once: with a pool, the other connections would lack them. A write is not
// cut off by its context once its turn has come, so its outcome is always known. After an input or output error the
// writing connection is closed and opened anew, and what the failed commit may have left is written over, before
// anything else is acknowledged.
//
// # What is kept for how long
//
// [Store.Sweep] deletes what has reached the end of its term and counts it in table sweeps; see the terms beside it.
// Pages are overwritten when their rows go (secure_delete), and a sweep ends by emptying the write-ahead log, so
// that a deleted name is in no file any more.
//
// # Design
//
// Why not a JSON document per visit: the file can be read beside the running daemon by those who must account for it,
// and constraints hold it together. Why a chain of hashes: whoever changes, removes or adds an audit row must change all
// later ones, and the newest hash can be noted elsewhere. Why reasons lie apart from the audit log: they are free text and
// go with the visit, while the log keeps a salted hash of them and stays provable.
package store
