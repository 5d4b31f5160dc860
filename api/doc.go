// Package api owns the REST interface: routes, authentication, strict reading
// of requests, problems, waiting for a job's end, and the OpenAPI document.
//
// It decides what a caller may ask and how the answer is written, and nothing
// about how work is kept or done: the ledger, the targets and the wake-ups are
// interfaces of its own, in ledger.go and deps.go. It refuses whatever it does
// not understand, because a field that is ignored is a promise that is broken.
package api
