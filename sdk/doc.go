// Package sdk is the Go client of the asyncops REST API. It owns how requests
// are written, when it is safe to send one again, and how long to wait before;
// what a job means is in package job, whose words it uses.
//
// It refuses to guess: a submission without an idempotency key is sent again
// only when the server has certainly refused it.
package sdk
