// Package app builds each process from its parts: it reads the configuration,
// opens what the process works with, starts the parts in order and stops them
// in reverse. It is the only package that knows all the others, and it decides
// nothing that they could decide.
package app
