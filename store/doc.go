// Package store owns the target databases: their pools, the operations of
// dbop turned into SQL, the transaction that commits an effect together with
// the record of it, and the health of it all.
//
// A Registry says what jobs may touch and needs no connection. A Target is one
// configured database; it never needs its server to be up except to run an
// operation.
//
// Exactly once: in the transaction of a write, a row (job, generation) is
// inserted into asyncops_effects, the operation runs, and its result is stored
// in that row as the last statement, which must find the row. A second run of
// the same job and generation meets the primary key and returns the stored
// result. Seal writes a tombstone there instead, after which no run can commit.
// A frozen writer of an SQLite file blocks the file: nothing can be fenced
// there until it moves again.
//
// A transaction of several steps is the same with more in the middle: one row in
// asyncops_effects, one result, and whatever fails in a step undoes all of them.
// Each step is run as a single operation is, after what it refers to of earlier
// results has been put in.
//
// Where a column is NULL, every comparison with it is unknown, as in SQL, and
// so is its negation: {"age": {"$ne": 5}} and {"$not": {"age": 5}} leave out
// the rows whose age is NULL.
//
// Values: integers keep 64 bits, decimals are strings, times are RFC 3339 in
// UTC, dates YYYY-MM-DD, bytes {"$base64": …}, JSON columns JSON, arrays of
// PostgreSQL JSON arrays. What JSON has no word for (NaN, infinite numbers and
// times) is a string in the database's own spelling. SQLite has fewer types:
// declared types say what is meant there, see sqlite_types.go; what MariaDB and
// MySQL do with values is in mysql_values.go.
//
// MariaDB and MySQL keep promises on InnoDB only. The first error of a
// transaction ends it, which internal/mysqlconn sees to; a duplicate is such an
// error, so what it hit is read after the rollback. On MariaDB the last
// statement also finds out whether the server has ended the transaction in
// between; MySQL cannot be asked, and nothing that a job can cause does so there.
//
// A named statement is SQL of the configuration: the server binds its values, and
// tells the types of its rows. Without Write it runs in a transaction that can
// only read. Operations name it; the package refuses SQL from callers, and caches
// are not its business yet.
package store
