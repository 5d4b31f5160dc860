// Package compose holds the installation that docker-compose.yml describes to
// what a running one needs. It has tests only, in the module of the tools: the
// library that reads such files is no part of the product.
package compose
