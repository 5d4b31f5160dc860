// Package arch holds the tests that keep the tree in its shape: the import map
// (rules_test.go), which says what each package may import and which packages
// a vendor's library is for, and the house rules that linters cannot see. It
// has no code of its own.
package arch
