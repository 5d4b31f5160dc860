package dispatch

import (
	"context"
	"errors"

	"github.com/asyncops/asyncops/job"
)

// objects reports whether the ledger's error is about what it was asked, and
// not about its absence: to ask the same again would not help.
func objects(err error) bool {
	return err != nil && !errors.Is(err, job.ErrUnavailable) && !errors.Is(err, job.ErrSchemaOutdated) &&
		!errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}
