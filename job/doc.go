// Package job is the vocabulary of asyncops: what a job is, the states it
// moves through and the moves that are legal, the outcome of one run, and the
// errors that callers branch on.
//
// It imports nothing but the standard library, does no I/O, and every other
// package speaks its words. All of its values are plain data, safe to copy and
// to read from several goroutines.
package job
