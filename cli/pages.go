package cli

import (
	"iter"
	"time"

	"github.com/asyncops/asyncops/config"
)

// maxPage is the most that the server lists at a time.
const maxPage = 200

// pageSize is how many to ask for at a time to get limit of them, 0 being all.
func pageSize(limit int) (int, error) {
	switch {
	case limit < 0:
		return 0, usage("--limit: must not be negative")
	case limit == 0:
		return maxPage, nil
	}
	return min(limit, maxPage), nil
}

// beginning is when a list begins that is asked for since so long ago, or after
// a time, which the flag of that name gives.
func beginning(since config.Duration, flag string, after, now time.Time) (time.Time, error) {
	switch {
	case since < 0:
		return after, usage("--since: must not be negative")
	case since > 0 && !after.IsZero():
		return after, usage("--since and %s: give one of them", flag)
	case since > 0:
		return now.Add(-since.Std()), nil
	}
	return after, nil
}

// firstOf returns the first items, at most limit, 0 being all.
func firstOf[T any](all iter.Seq2[T, error], limit int) ([]T, error) {
	items := []T{}
	for item, err := range all {
		if err != nil {
			return nil, err
		}
		if items = append(items, item); len(items) == limit {
			break
		}
	}
	return items, nil
}
