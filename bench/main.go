// Command bench measures asyncops beside River, asynq and plain SQL: the same
// payload on the same PostgreSQL and Redis, which it starts for itself, in one
// run and in turn, so that what disturbs the machine disturbs all of them.
// README.md says what each line means.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// payload is what every job carries; to asyncops it is the args of a
// system.noop that returns at once.
const payload = `{"sleep":"0s"}`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures and writes the table to out, progress to log.
func run(ctx context.Context, args, env []string, out, log io.Writer) error {
	if len(args) == 3 && args[0] == handlerCommand {
		return serveHandler(ctx, args[1], args[2])
	}
	plan, err := parsePlan(args, log)
	if err != nil {
		return err
	}
	b, err := open(ctx, plan, env, log)
	if err != nil {
		return err
	}
	defer b.close()
	for round := range plan.rounds {
		if err := b.round(ctx, round); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	facts, err := b.facts(ctx)
	if err != nil {
		return err
	}
	return writeReport(out, facts, plan, rows, b.results)
}
