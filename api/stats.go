package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/duration"
	"github.com/asyncops/asyncops/job"
)

// Stats tells what has happened, and how things stand.
type Stats interface {
	// Tallies returns what was counted in spans that begin at from or later, of
	// the named queues and kinds, of all where none is named.
	Tallies(ctx context.Context, from time.Time, queues, kinds []string) ([]job.Tally, error)
	// Ages returns how long the oldest due jobs had waited, at the most, in spans
	// that begin at from or later, of the named queues, of all where none is named.
	Ages(ctx context.Context, from time.Time, queues []string) ([]Age, error)
	// Step is the length of the spans in which a window of the length is kept.
	Step(window time.Duration) time.Duration
	// Backlogs counts what may start now in every queue.
	Backlogs(ctx context.Context) ([]Backlog, error)
	// Drift is how many jobs may start and have no doorbell; false where there is
	// no Redis, or it does not answer.
	Drift(ctx context.Context) (jobs int, ok bool)
}

// Backlog is what of a queue waits to start.
type Backlog struct {
	Queue   string
	Pending int
	Oldest  time.Duration // how long the first of them has waited
}

// Age is how long the oldest due job of a queue had waited, at the most, in a
// span of time.
type Age struct {
	Queue  string
	At     time.Time // when the span begins
	Oldest time.Duration
}

const (
	defaultWindow = time.Hour
	minWindow     = time.Minute
	maxWindow     = 90 * 24 * time.Hour
)

// statsItem is what happened in a window.
type statsItem struct {
	Window string       `json:"window"`
	Step   string       `json:"step"` // between two points of the series
	From   time.Time    `json:"from"`
	To     time.Time    `json:"to"` // when the last point ends
	Series []statsPoint `json:"series"`
	Totals statsTotals  `json:"totals"`
	Queues []statsQueue `json:"queues"`
	Kinds  []statsKind  `json:"kinds"`
	Drift  *int         `json:"drift"` // jobs that may start and have no doorbell; null where there is no Redis to ask
}

// statsCounts is what was counted. Rates are null where nothing has ended, and
// times, in seconds, where nothing ran.
type statsCounts struct {
	Submitted   int64      `json:"submitted"`
	Completed   int64      `json:"completed"`
	Archived    int64      `json:"archived"`
	Canceled    int64      `json:"canceled"`
	Expired     int64      `json:"expired"`
	Unknown     int64      `json:"unknown"`
	Retried     int64      `json:"retried"`
	Finished    int64      `json:"finished"`     // of all sorts of ends
	Failed      int64      `json:"failed"`       // archived, expired or unknown
	SuccessRate *float64   `json:"success_rate"` // completed of those that completed or failed
	Wait        statsTimes `json:"wait"`
	Run         statsTimes `json:"run"`
}

type statsTimes struct {
	Count int64    `json:"count"`
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
}

type statsPoint struct {
	At time.Time `json:"at"`
	statsCounts
}

// statsTotals is the whole window; per second over the whole of it.
type statsTotals struct {
	statsCounts

	SubmittedPerSecond float64 `json:"submitted_per_second"`
	FinishedPerSecond  float64 `json:"finished_per_second"`
	Pending            int     `json:"pending"`        // now
	OldestSeconds      float64 `json:"oldest_seconds"` // now
}

type statsQueue struct {
	Name          string  `json:"name"`
	Pending       int     `json:"pending"`        // now: jobs that may start
	OldestSeconds float64 `json:"oldest_seconds"` // now: how long the first of them has waited
	// OldestSeries is the most that OldestSeconds was seen to be in the span of
	// each point of the series; null where nobody looked.
	OldestSeries []*float64 `json:"oldest_series"`
	statsCounts
}

type statsKind struct {
	Name string `json:"name"`
	statsCounts
}

func countsOf(t *job.Tally) statsCounts {
	c := statsCounts{
		Submitted: t.Submitted, Completed: t.Completed, Archived: t.Archived, Canceled: t.Canceled, Expired: t.Expired, Unknown: t.Unknown,
		Retried: t.Retried, Failed: t.Archived + t.Expired + t.Unknown, Wait: timesOf(&t.Wait), Run: timesOf(&t.Run),
	}
	c.Finished = c.Completed + c.Failed + c.Canceled
	if decided := c.Completed + c.Failed; decided > 0 {
		rate := float64(c.Completed) / float64(decided)
		c.SuccessRate = &rate
	}
	return c
}

func timesOf(h *job.Histogram) statsTimes {
	times := statsTimes{Count: h.Count()}
	if times.Count == 0 {
		return times
	}
	for q, into := range map[float64]**float64{0.5: &times.P50, 0.95: &times.P95, 0.99: &times.P99} {
		seconds := h.Quantile(q).Seconds()
		*into = &seconds
	}
	return times
}

// getStats is GET /v1/stats.
func (s *Server) getStats(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "window", "queue", "kind")
	if err != nil {
		return err
	}
	if s.deps.Stats == nil {
		return refuse(http.StatusNotFound, CodeNotFound, "this process keeps no statistics")
	}
	window, err := q.window()
	if err != nil {
		return err
	}
	queues, err := q.names(c.who.queues, "queue")
	if err != nil {
		return err
	}
	kinds, err := q.names(c.who.kinds, "kind")
	if err != nil {
		return err
	}
	body, err := s.statsKept.answer(window.String()+"\n"+strings.Join(queues, ",")+"\n"+strings.Join(kinds, ","), s.now(), func() ([]byte, error) {
		item, err := s.stats(ctx, window, queues, kinds)
		if err != nil {
			return nil, err
		}
		return json.Marshal(item)
	})
	if err != nil {
		return err
	}
	return s.send(c, http.StatusOK, body)
}

// days is a window in days, which Go's durations do not know.
var days = regexp.MustCompile(`^([0-9]{1,6})d$`)

// window returns the parameter of that name.
func (q query) window() (time.Duration, error) {
	text, err := q.one("window")
	if err != nil || text == "" {
		return defaultWindow, err
	}
	if match := days.FindStringSubmatch(text); match != nil {
		n, err := strconv.Atoi(match[1])
		if err != nil || n < 1 || n > int(maxWindow/(24*time.Hour)) {
			return 0, invalidParameter("window", "want 1m to 90d")
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := duration.Parse(text)
	if err != nil {
		return 0, refuse(http.StatusBadRequest, CodeMalformed, "the query parameter window is not a duration such as 1h, 7d or PT1H")
	}
	if d < minWindow || d > maxWindow {
		return 0, invalidParameter("window", "want 1m to 90d")
	}
	return d, nil
}

// stats sums up what was counted.
func (s *Server) stats(ctx context.Context, window time.Duration, queues, kinds []string) (*statsItem, error) {
	step := s.deps.Stats.Step(window)
	to := s.now().UTC().Truncate(step).Add(step) // of the span that is not over
	from := to.Add(-max(window.Truncate(step), step))
	found, err := s.deps.Stats.Tallies(ctx, from, queues, kinds)
	if err != nil {
		return nil, err
	}
	ages, err := s.deps.Stats.Ages(ctx, from, queues)
	if err != nil {
		return nil, err
	}
	backlogs, err := s.deps.Stats.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	item := &statsItem{Window: window.String(), Step: step.String(), From: from, To: to, Kinds: []statsKind{}, Queues: []statsQueue{}}
	points := make([]job.Tally, to.Sub(from)/step)
	var total job.Tally
	byQueue, byKind := map[string]*job.Tally{}, map[string]*job.Tally{}
	for i := range found {
		t := &found[i]
		at := int(t.At.Sub(from) / step)
		if t.At.Before(from) || at >= len(points) {
			continue // counted by a clock that is ahead
		}
		for _, sum := range []*job.Tally{&points[at], &total, sumOf(byQueue, t.Queue), sumOf(byKind, t.Kind)} {
			sum.Merge(t)
		}
	}
	item.Series = make([]statsPoint, len(points))
	for i := range points {
		item.Series[i] = statsPoint{At: from.Add(time.Duration(i) * step), statsCounts: countsOf(&points[i])}
	}
	oldest := agesByQueue(ages, from, step, len(points))
	seconds := s.now().Sub(from).Seconds()
	item.Totals = statsTotals{statsCounts: countsOf(&total)}
	item.Totals.SubmittedPerSecond, item.Totals.FinishedPerSecond = float64(total.Submitted)/seconds, float64(item.Totals.Finished)/seconds
	for _, b := range backlogs {
		if len(queues) > 0 && !slices.Contains(queues, b.Queue) {
			continue
		}
		queue := statsQueue{
			Name: b.Queue, Pending: b.Pending, OldestSeconds: b.Oldest.Seconds(), OldestSeries: oldest[b.Queue], statsCounts: countsOf(sumOf(byQueue, b.Queue)),
		}
		if queue.OldestSeries == nil {
			queue.OldestSeries = make([]*float64, len(points))
		}
		item.Queues = append(item.Queues, queue)
		item.Totals.Pending += queue.Pending
		item.Totals.OldestSeconds = max(item.Totals.OldestSeconds, queue.OldestSeconds)
	}
	for name, t := range byKind {
		item.Kinds = append(item.Kinds, statsKind{Name: name, statsCounts: countsOf(t)})
	}
	slices.SortFunc(item.Kinds, func(a, b statsKind) int { return cmp.Compare(a.Name, b.Name) })
	if drift, ok := s.deps.Stats.Drift(ctx); ok {
		item.Drift = &drift
	}
	return item, nil
}

// agesByQueue puts ages where the points of a series are.
func agesByQueue(ages []Age, from time.Time, step time.Duration, points int) map[string][]*float64 {
	series := map[string][]*float64{}
	for _, a := range ages {
		at := int(a.At.Sub(from) / step)
		if a.At.Before(from) || at >= points {
			continue
		}
		if series[a.Queue] == nil {
			series[a.Queue] = make([]*float64, points)
		}
		seconds := a.Oldest.Seconds()
		if before := series[a.Queue][at]; before != nil {
			seconds = max(seconds, *before)
		}
		series[a.Queue][at] = &seconds
	}
	return series
}

func sumOf(sums map[string]*job.Tally, name string) *job.Tally {
	if sums[name] == nil {
		sums[name] = &job.Tally{}
	}
	return sums[name]
}
