// Package cache keeps results that were asked for, so that they need not be
// asked for again: in the process, and in Redis for the whole fleet.
//
// A Space holds the entries of one database or upstream. An Entry depends on
// tags, such as the table it was read from; Invalidate makes everything that
// depends on a tag, or has a key, count for nothing. When it returns, no
// process answers a Get that begins from then on with what was loaded before:
// a read is never older than a write that was complete when the read began.
// docs/adr/0012 says how, and what holds while Redis is away: then nothing is
// taken from the cache, and nothing fails.
//
// The package refuses to know what it keeps. It loads nothing twice at the same
// time in one process, and its memory is bounded.
package cache
