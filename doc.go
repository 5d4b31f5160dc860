// Package asyncops is asyncops inside a Go program: the databases, clients and
// cache of a configuration, by the same rules as for jobs, and the ledger to
// submit jobs to. docs/echo.md is its guide.
//
// An App holds them. Middleware puts it into the requests of an echo server,
// where Database, Client and Cache find it; Synchronous and Background make
// routes of operations.
//
// The package refuses to be a server: it opens no port, hears no signals, and
// knows no users; who may do what is for the program to say.
package asyncops
