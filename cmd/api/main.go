// Command api is asyncops-api; see package app.
package main

import (
	"os"

	"github.com/asyncops/asyncops/app"
)

func main() { os.Exit(app.API(app.OS())) }
