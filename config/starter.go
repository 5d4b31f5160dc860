package config

import _ "embed" // for the starter file

//go:embed starter.yaml
var starter string

// Starter returns the commented file that "asyncops init" writes. It loads as
// it is; lines that begin with # and no blank, or with # and two, are examples.
func Starter() string { return starter }
