package main

import (
	"errors"
	"flag"
	"io"
	"time"
)

// plan is how much is measured.
type plan struct {
	rounds  int           // each measures everything once
	submit  time.Duration // how long each way of submitting is driven
	noops   int           // jobs of each drain that does nothing
	effects int           // jobs of each drain that writes a row or calls the API
	waits   int           // lone jobs whose way is timed
	root    string        // folder of the module that is measured
}

// parsePlan reads the command line. Its error is flag.ErrHelp if help was
// asked for, which then is written to log.
func parsePlan(args []string, log io.Writer) (plan, error) {
	p := plan{submit: 3 * time.Second, noops: 100_000, effects: 30_000, waits: 200}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.IntVar(&p.rounds, "n", 5, "rounds; the table has their median and spread")
	quick := flags.Bool("quick", false, "one short round, to see that everything runs")
	flags.StringVar(&p.root, "root", "..", "folder of asyncops' own module")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if p.rounds < 1 || flags.NArg() > 0 {
		return plan{}, errors.New("usage: bench [-n rounds] [-quick]")
	}
	if *quick {
		p.rounds, p.submit, p.noops, p.effects, p.waits = 1, time.Second, 2_000, 500, 50
	}
	return p, nil
}
