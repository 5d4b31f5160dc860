// Package dbop owns what a database operation says: a table, columns, values
// and a predicate, as data, checked by form. It knows no dialect and does no
// I/O: tasks reads operations from job args, store turns them into SQL. A step of
// a transaction may refer to the results of earlier ones; Results looks that up.
package dbop
