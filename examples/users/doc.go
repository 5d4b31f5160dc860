// Package users is an example: a repository over the table users, and a service
// that registers a user only when an API of others says that it may. It shows
// the packages store and clients as a Go program uses them by itself, without
// jobs; docs/library.md explains them.
package users
