// Command worker is asyncops-worker; see package app.
package main

import (
	"os"

	"github.com/asyncops/asyncops/app"
)

func main() { os.Exit(app.Worker(app.OS())) }
