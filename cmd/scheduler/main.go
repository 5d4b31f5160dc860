// Command scheduler is asyncops-scheduler; see package app.
package main

import (
	"os"

	"github.com/asyncops/asyncops/app"
)

func main() { os.Exit(app.Scheduler(app.OS())) }
