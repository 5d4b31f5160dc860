// Package tasks owns what asyncops can be asked to do: the kinds, the args and
// the result of each, and the rules that args must satisfy before a job is
// accepted. It reads args into data (a dbop.Operation, an httpop.Request) and
// does no I/O: handlers carry them out.
//
// One file per kind. The args and results are described to the outside by the
// JSON Schemas in schema; a test compares them with the Go types. Names of
// tables, columns, cache keys and the like, and the values of a where, have
// bounds of their own; values to be written and bodies to be sent may be as
// large as the request that brings them.
package tasks
