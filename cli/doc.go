// Package cli owns the operator's commands: how they are typed, what they
// print, and how they exit. It talks to a server through package sdk.
//
// It opens no ledger and no target: the few commands that need them call the
// Hooks that the program fills in.
package cli
