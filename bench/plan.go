package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
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
	only    []string      // steps to run; empty is all
}

// steps are what a round consists of, each on a database of its own.
var steps = []struct {
	name string
	do   func(*bench, context.Context, string) error
}{
	{"plain", (*bench).plainRound},
	{"submit", (*bench).submitRound},
	{"river", (*bench).riverRound},
	{"fleet", (*bench).fleetRound},
	{"effects", (*bench).effectsRound},
	{"dev", (*bench).devRound},
	{"asynq", (*bench).asynqRound},
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
	only := flags.String("only", "", "steps to run, with commas between: "+strings.Join(stepNames(), ", ")+"; all if empty")
	if err := flags.Parse(args); err != nil {
		return plan{}, err
	}
	if p.rounds < 1 || flags.NArg() > 0 {
		return plan{}, errors.New("usage: bench [-n rounds] [-only steps] [-quick]")
	}
	if *only != "" {
		p.only = strings.Split(*only, ",")
	}
	for _, name := range p.only {
		if !slices.Contains(stepNames(), name) {
			return plan{}, fmt.Errorf("-only: no step %q; the steps are %s", name, strings.Join(stepNames(), ", "))
		}
	}
	if *quick {
		p.rounds, p.submit, p.noops, p.effects, p.waits = 1, time.Second, 2_000, 500, 50
	}
	return p, nil
}

func stepNames() []string {
	names := make([]string, len(steps))
	for i, step := range steps {
		names[i] = step.name
	}
	return names
}

// runs reports whether the plan has the step.
func (p plan) runs(step string) bool { return len(p.only) == 0 || slices.Contains(p.only, step) }
