// Package load owns driving a running server over REST: connections that
// submit jobs as fast as they are answered, and the figures that come of it.
//
// It starts no server and reads no ledger: what it says is what a caller of the
// API sees.
package load
