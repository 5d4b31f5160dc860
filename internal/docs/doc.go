// Package docs holds the tests that keep the documentation true: what it names
// exists, and what exists is named. It has no code of its own. The reference
// page is written by its tests from the product's own tables.
package docs

//go:generate go test -count=1 -run=^TestReference$ . -update
