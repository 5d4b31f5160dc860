// Package dbop owns what a database operation says: a table, columns, values
// and a predicate, as data, checked by form. It knows no dialect and does no
// I/O: tasks reads operations from job args, store turns them into SQL.
package dbop
