package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/asyncops/asyncops/job"
)

// acceptChunk is how many jobs of a batch are committed at once: large enough
// to be cheap, small enough not to hold up other submissions.
const acceptChunk = 1000

// batch is a batch on its way into the ledger.
type batch struct {
	jobs    []job.Job // those that were read and found right
	places  []int     // of each of jobs: its place in results
	results []batchResult
}

// batchResult is what became of one item.
type batchResult struct {
	id       job.ID
	replayed bool
	err      error // refused; id is ""
}

// submitBatch is POST /v1/jobs/batch. The batch is read to its end before
// anything is accepted: a text that turns out to be broken has no effect.
func (s *Server) submitBatch(_ context.Context, c *call) error {
	r := c.Request()
	q, err := readQuery(r, "atomic")
	if err != nil {
		return err
	}
	atomic, err := q.flag("atomic")
	if err != nil {
		return err
	}
	if _, given := r.Header[headerIdempotencyKey]; given {
		return malformedKey("a batch has no idempotency key of its own; give each item its idempotency_key")
	}
	release, err := s.reserve(r)
	if err != nil {
		return err
	}
	defer release()
	d := s.drafter(c)
	var b batch
	err = s.readItems(r, func(item []byte) { b.read(d, item, s.cfg.BodyLimit) })
	switch {
	case err != nil:
		return err
	case len(b.results) == 0:
		return job.Invalid("", CodeInvalid, "the batch holds no job")
	}
	// Reading may have taken most of the time that a request is given.
	liftReadDeadline(c.Response())
	ctx, cancel := s.withTimeout(r.Context())
	defer cancel()
	if atomic {
		err = s.acceptAll(ctx, &b)
	} else {
		err = s.acceptEach(ctx, &b)
	}
	if err != nil {
		return err
	}
	s.countSubmitted(&b)
	return s.answerBatch(c, &b)
}

// read adds one item.
func (b *batch) read(d *drafter, item []byte, limit int64) {
	if int64(len(item)) > limit {
		b.results = append(b.results, batchResult{err: errTooLarge(limit)})
		return
	}
	read, err := d.read(item)
	if err == nil {
		b.jobs = append(b.jobs, read.job)
		b.places = append(b.places, len(b.results))
	}
	b.results = append(b.results, batchResult{err: err})
}

// acceptAll accepts every item or none.
func (s *Server) acceptAll(ctx context.Context, b *batch) error {
	if slices.ContainsFunc(b.results, func(r batchResult) bool { return r.err != nil }) {
		return s.refuseAll(ctx, b)
	}
	answers, err := s.deps.Ledger.Accept(ctx, b.jobs, true)
	if err != nil {
		return err
	}
	b.take(0, answers)
	if slices.ContainsFunc(b.results, func(r batchResult) bool { return r.err != nil }) {
		return s.refuseAll(ctx, b)
	}
	return nil
}

// acceptEach accepts what it can. An error means that nothing was accepted.
func (s *Server) acceptEach(ctx context.Context, b *batch) error {
	for from := 0; from < len(b.jobs); from += acceptChunk {
		to := min(from+acceptChunk, len(b.jobs))
		answers, err := s.deps.Ledger.Accept(ctx, b.jobs[from:to], false)
		switch {
		case err == nil:
			b.take(from, answers)
		case from == 0:
			return err
		default:
			for _, place := range b.places[from:] {
				b.results[place].err = err
			}
			return nil
		}
	}
	return nil
}

// take notes the ledger's answers for the jobs from the given one on.
func (b *batch) take(from int, answers []job.Accepted) {
	for i := range answers {
		a, result := &answers[i], &b.results[b.places[from+i]]
		if a.Err != nil {
			result.err = acceptError(a.Err)
			continue
		}
		result.id, result.replayed = a.Job.ID, a.Replayed
	}
}

// refuseAll is the answer to an atomic batch of which some item was refused:
// each error's pointer begins with the place of its item.
func (s *Server) refuseAll(ctx context.Context, b *batch) error {
	all := &job.InvalidError{}
	for i, result := range b.results {
		if result.err == nil {
			continue
		}
		answer := s.itemAnswer(ctx, result.err)
		if answer.Status >= http.StatusInternalServerError {
			return result.err
		}
		if len(answer.Errors) == 0 {
			answer.Errors = []job.FieldError{{Code: answer.Code, Message: answer.Detail}}
		}
		for _, f := range answer.Errors {
			f.Pointer = fmt.Sprintf("/%d%s", i, f.Pointer)
			all.Fields = append(all.Fields, f)
		}
	}
	return all
}

// itemAnswer is what one item's error would be answered with on its own.
func (s *Server) itemAnswer(ctx context.Context, err error) *refusal {
	if errors.Is(err, context.DeadlineExceeded) {
		err = errRequestTimeout
	}
	answer, foreseen := answerTo(err)
	if !foreseen {
		s.logFault(ctx, "/v1/jobs/batch", "", err)
	}
	return answer
}

func (s *Server) countSubmitted(b *batch) {
	type label struct{ kind, queue string }
	counts := map[label]int{}
	for i := range b.jobs {
		if r := b.results[b.places[i]]; r.err == nil && !r.replayed {
			counts[label{b.jobs[i].Kind, b.jobs[i].Queue}]++
		}
	}
	for l, n := range counts {
		s.deps.Observer.Submitted(l.kind, l.queue, n)
	}
}

// answerBatch tells what became of each item, in their order.
func (s *Server) answerBatch(c *call, b *batch) error {
	rejected := 0
	list := make([]byte, 0, 64*len(b.results)+64)
	list = append(list, `,"items":[`...)
	for i, result := range b.results {
		if i > 0 {
			list = append(list, ',')
		}
		switch {
		case result.err != nil:
			rejected++
			text, err := json.Marshal(s.itemAnswer(c.Request().Context(), result.err).Problem)
			if err != nil {
				return err
			}
			list = append(append(append(list, `{"error":`...), text...), '}')
		case result.replayed:
			list = append(append(append(list, `{"id":"`...), result.id...), `","replayed":true}`...)
		default:
			list = append(append(append(list, `{"id":"`...), result.id...), `"}`...)
		}
	}
	body := fmt.Appendf(make([]byte, 0, len(list)+64), `{"accepted":%d,"rejected":%d`, len(b.results)-rejected, rejected)
	body = append(append(body, list...), "]}"...)
	return s.send(c, http.StatusAccepted, body)
}
