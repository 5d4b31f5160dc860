// Package observe owns what a process tells about itself: its metrics, its
// log, its health and readiness, and the small HTTP server through which a
// worker and a scheduler show them. Its Metrics, Health and Server are given
// to the other packages as the observers and parts that those ask for.
//
// It refuses to know where figures come from: they are told to it or read
// through functions. It keeps no global registry and writes no payload, secret
// or data source name anywhere.
package observe
