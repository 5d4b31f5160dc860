// Command asyncops is asyncops dev, everything in one process, and the
// operator's commands; see packages app and cli.
package main

import (
	"os"

	"github.com/asyncops/asyncops/app"
)

func main() { os.Exit(app.Main(app.OS())) }
