package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/sdk"
)

// explain tells the operator what went wrong, and what may help, and returns
// the exit code.
func (s *session) explain(err error) int {
	var (
		wrong    *usageError
		problems config.Problems
		refused  *sdk.Problem
		network  net.Error
	)
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, errTold):
		return ExitFailed
	case errors.As(err, &wrong):
		s.tell("%s", wrong.text)
		return ExitUsage
	case errors.As(err, &problems):
		for _, p := range problems {
			s.tell("%s", p)
		}
		return ExitUsage
	case errors.As(err, &refused):
		s.tell("%s%s", refused, hint(refused))
	case errors.Is(err, context.Canceled):
		s.tell("interrupted")
	case errors.Is(err, context.DeadlineExceeded): // the time that the server took, which the error says
		s.tell("%s", strings.TrimPrefix(err.Error(), "sdk: "))
	case errors.As(err, &network):
		s.tell("%s does not answer: %s; is it running, and is ASYNCOPS_URL right?", s.client, last(network))
	default:
		s.tell("%s", strings.TrimPrefix(err.Error(), "sdk: "))
	}
	return ExitFailed
}

// hint says what may help against a refusal.
func hint(p *sdk.Problem) string {
	switch {
	case p.Status == http.StatusUnauthorized:
		return "; set ASYNCOPS_API_KEY"
	case p.Status >= http.StatusInternalServerError && p.RequestID != "":
		return " (request " + p.RequestID + ")"
	}
	return ""
}

// last is the innermost error, which says what happened.
func last(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
